"""Maps a statement of reasons to the attributes of the DSA Transparency Database.

The attributes are those of the database's API
(transparency.dsa.ec.europa.eu/page/api-documentation). deploy/statement-of-reasons.md has the same
tables for people; a test compares the two.
"""

FIELDS_OF_THE_DSA: dict[str, tuple[str, str]] = {
    "dsa.puid": ("puid", "the throttle's id; unique"),
    "dsa.decision_visibility": (
        "decision_visibility",
        "surfaces of reach: `DECISION_VISIBILITY_CONTENT_DEMOTED`; surfaces of income: empty",
    ),
    "dsa.decision_monetary": (
        "decision_monetary",
        "surfaces of income: off is `…_SUSPENSION`, limited is `…_OTHER`; surfaces of reach: null",
    ),
    "dsa.decision_ground": (
        "decision_ground",
        "`DECISION_GROUND_INCOMPATIBLE_CONTENT`: the platform's terms, not illegal content",
    ),
    "dsa.account_type": ("account_type", "null: Byline knows an opaque id and nothing else"),
    "dsa.source_type": ("source_type", "`SOURCE_VOLUNTARY`: the platform's own initiative"),
    "ground": ("incompatible_content_ground", "the notice, its version, the phase and the policy"),
    "facts, delivered_at, deadline_at, answer": (
        "decision_facts",
        "bands, closed words and times, as sections 2 and 3 of the rendered text say them",
    ),
    "restriction.surface, restriction.level": (
        "decision_monetary_other",
        "which income is limited and how, where `decision_monetary` is `…_OTHER`",
    ),
    "restriction.effective_at": ("application_date", "its date (UTC)"),
    "restriction.expires_at": (
        "end_date_visibility_restriction, end_date_monetary_restriction",
        "its date (UTC), in the one that the surface belongs to",
    ),
    "restriction.review_at": ("–", "the database has no field; it is in the rendered text"),
    "automation.automated_detection": ("automated_detection", "`Yes`"),
    "automation.automated_decision": ("automated_decision", "`AUTOMATED_DECISION_FULLY`"),
    "redress": ("–", "article 17(3)(f) wants it told to the owner; the database has no field"),
}
"""Field of the statement → the database's attribute, and how its value is made."""

NOT_FILLED: dict[str, str] = {
    "category, category_addition, category_specification, category_specification_other": (
        "the platform's own judgement of which kind of rule it is"
    ),
    "content_type, content_type_other, content_date, content_language, content_id": (
        "an account is restricted, not a piece of content, and Byline sees none"
    ),
    "territorial_scope": "Byline does not know where the platform applies its rule",
    "incompatible_content_explanation": "the text of `byline statement EVENT --lang en` serves",
    "decision_ground_reference_url": "Byline knows the notice by its id, not where it is published",
    "incompatible_content_illegal": "nothing here says that anything is illegal",
    "illegal_content_legal_ground, illegal_content_explanation": (
        "only for illegal content, which is never the ground"
    ),
    "decision_visibility_other": "only for another kind of visibility restriction",
    "decision_provision, end_date_service_restriction": "the service itself is never restricted",
    "decision_account, end_date_account_restriction": "the account is never suspended or closed",
    "source_identity": "nobody notified: the platform acts by itself",
}
"""The database's attributes that Byline does not fill, each with the reason."""
