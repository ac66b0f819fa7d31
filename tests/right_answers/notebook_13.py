"""Right answers to the exercises of the further notebook "Tools of MCP servers"."""

# --- 13.1


def strangers_first(hints, trusted):
    if not trusted:
        return {"idempotent": False, "touches": "writes"}
    if hints.get("readOnlyHint"):
        return {"idempotent": True, "touches": "reads"}
    return {"idempotent": bool(hints.get("idempotentHint")), "touches": "writes"}


def step_by_step(hints, trusted):
    found = {"idempotent": False, "touches": "writes"}
    if trusted and "idempotentHint" in hints:
        found["idempotent"] = hints["idempotentHint"]
    if trusted and "readOnlyHint" in hints and hints["readOnlyHint"] is True:
        found.update(idempotent=True, touches="reads")
    return found


def as_sets(hints, trusted):
    said = {name for name, value in hints.items() if value and trusted}
    kind = ("writes", "reads")["readOnlyHint" in said]
    return {"touches": kind, "idempotent": not said.isdisjoint({"readOnlyHint", "idempotentHint"})}


RIGHT = {
    "13.1": [strangers_first, step_by_step, as_sets],
    "13.2": ["d", "D", " d"],
}
