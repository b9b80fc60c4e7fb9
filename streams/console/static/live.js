// Loads the live part of a page again when the console tells of news. Without it the page is whole,
// and is as old as its first line says.
"use strict";

(() => {
  // What a person reads or types in is left alone until he is done.
  const busy = (part) =>
    part.querySelector("details[open]") !== null ||
    (part.contains(document.activeElement) && document.activeElement !== part);

  document.addEventListener("htmx:beforeRequest", (request) => {
    const part = request.target;
    if (part.id === "live" && busy(part)) request.preventDefault();
  });

  document.addEventListener("DOMContentLoaded", () => {
    const place = document.querySelector("[data-news]");
    if (place === null) return;
    const stream = new EventSource(place.dataset.news);
    stream.addEventListener("news", () => {
      const part = document.getElementById("live");
      if (part !== null && !document.hidden) htmx.trigger(part, "news");
    });
    stream.addEventListener("over", () => stream.close());
  });
})();
