"""The JSON schema of a policy, in a form whose errors name the field: `dg check yaml` and editors read it.

Belongs here: the schema's form. Must stay out: what a policy may say (policy), and its validation (`load_policy`).
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from secure_ml.policy.project import Policy

Schema = dict[str, Any]


class PolicyAttributes(BaseModel):
    """The policy's schema without its judgement.

    Dagster validates a component's attributes before it loads the component, and its words for a fault name neither
    file nor what is allowed. This model lets all through to `SensitiveModel.load`, which reads the file under `Policy`.
    """

    model_config = ConfigDict(extra="allow")

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> Schema:
        """`Policy`'s schema; where several forms are open, the field that chooses one decides which rules hold."""
        schema: Schema = _chosen_by_tag(Policy.model_json_schema(*args, **options))
        return schema


def _chosen_by_tag(schema: Any) -> Any:
    """Replaces pydantic's `oneOf`, whose failure says "not valid under any of the given schemas" whatever is wrong."""
    if isinstance(schema, list):
        return [_chosen_by_tag(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    rewritten = {name: _chosen_by_tag(part) for name, part in schema.items()}
    choice = rewritten.get("discriminator")
    if not isinstance(choice, dict) or "mapping" not in choice or "oneOf" not in rewritten:
        return rewritten
    tag, forms = choice["propertyName"], choice["mapping"]
    del rewritten["oneOf"], rewritten["discriminator"]
    chosen = [
        {"if": {"properties": {tag: {"const": value}}, "required": [tag]}, "then": {"$ref": form}}
        for value, form in forms.items()
    ]
    known = {tag: {"enum": list(forms)}}
    return {**rewritten, "type": "object", "required": [tag], "properties": known, "allOf": chosen}
