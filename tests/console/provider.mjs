// A real OpenID provider of the tests: node provider.mjs ISSUER REDIRECT-URI. It wants PKCE of everybody.
const { default: Provider } = await import(process.env.OIDC_PROVIDER);
const [issuer, redirect] = process.argv.slice(2);
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "byline-console",
      token_endpoint_auth_method: "none",
      redirect_uris: [redirect],
      response_types: ["code"],
      grant_types: ["authorization_code"],
    },
  ],
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  ttl: { AuthorizationCode: 60, IdToken: 300 },
});
provider.listen(Number(new URL(issuer).port), "127.0.0.1", () => console.log(`listens at ${issuer}`));
