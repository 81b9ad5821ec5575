#!/usr/bin/env python3
"""Make the catalogue of models from two published packages.

    scripts/catalog.py DATE LITELLM GENAI_PRICES OUT

DATE is the day (YYYY-MM-DD) whose prices are wanted: models that are retired by
then are left out. LITELLM and GENAI_PRICES are directories with one unpacked
wheel each. OUT receives catalog.json and THIRD_PARTY.md. The same arguments give
the same bytes. docs/CATALOG.md says what the rules below are for.

Nothing of the packages is run: prices are read as data, as exact decimals.
"""

import ast
import json
import re
import sys
from decimal import Decimal
from pathlib import Path

# provider type -> (litellm's provider, its prefix of names, genai-prices' provider,
# which models genai-prices may add by itself)
PROVIDERS = {
    "openai": ("openai", "openai/", "openai", None),
    "anthropic": ("anthropic", "anthropic/", "anthropic", None),
    "gemini": ("gemini", "gemini/", "google", None),
    "deepseek": ("deepseek", "deepseek/", "deepseek", None),
    "qwen": ("dashscope", "dashscope/", None, None),
    "moonshot": ("moonshot", "moonshot/", "moonshotai", r"kimi-k(2\.[67]|3)"),
    "zhipu": ("zai", "zai/", "zai", r"GLM-(4\.[67]|5)"),
    "doubao": ("volcengine", "volcengine/", None, None),
    "minimax": ("minimax", "minimax/", "minimax", r"MiniMax-M(2\.[5-9]|3)"),
    "mistral": ("mistral", "mistral/", "mistral", None),
    "azure-openai": ("azure", "azure/", "azure", None),
    "groq": ("groq", "groq/", "groq", None),
    "together": ("together_ai", "together_ai/", "together", r"."),
    "openrouter": (None, None, "openrouter",
                   r"(anthropic|openai|google|deepseek|qwen|moonshotai|z-ai|minimax|mistralai|x-ai|meta-llama)/"),
}

MODES = {
    "chat": "chat", "responses": "chat", "completion": "completions", "embedding": "embeddings",
    "image_generation": "images", "audio_speech": "audio", "audio_transcription": "audio",
    "moderation": "moderations", "rerank": "rerank",
}

# Names that are no model of general use: fine-tunes, variants by size or region
# in the name, tools, agents and experiments.
SKIP = re.compile(r"^ft:|-x-|container|realtime|live|prompt-guard|computer-use|deep-research|robotics|lyria|learnlm"
                  r"|-exp-|cyber|daybreak|rosalind|law$|^together-ai-|vibe-cli|^speech/|:|ocr|model-router|labs-", re.I)

# What genai-prices adds by itself is of conversation and of today.
OTHER = re.compile(r"embed|image|tts|transcribe|rerank|speech|guard|audio|preview|gpt-3\.5|gpt-4$|gpt-4-|/o\d|claude-3|qwen-2"
                   r"|qwen3-[0-9v]|gemma|mixtral|24b|minimax-(01|m1)|multi-agent|legal|-her$|llama-3|chat-v3|r1-distill")

DATED = re.compile(r"[-@](20\d{6}|20\d{2}-\d{2}-\d{2})$")

# what litellm states per unit -> unit
LITELLM_RATES = {
    "input_cost_per_token": "input", "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write_5m", "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_token": "output", "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input", "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input", "output_cost_per_image": "image",
    "input_cost_per_second": "audio_second", "input_cost_per_character": "character",
}

# what genai-prices states per million -> unit; cache_write_mtok stands for the
# five-minute cache where that has no price of its own
GENAI_RATES = {
    "input_mtok": "input", "cache_read_mtok": "cached_input", "cache_write_mtok": "cache_write_5m",
    "cache_write_5m_mtok": "cache_write_5m", "cache_write_1h_mtok": "cache_write_1h", "output_mtok": "output",
    "output_reasoning_mtok": "reasoning", "input_audio_mtok": "audio_input", "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
}

UNITS = ["input", "cached_input", "cache_write_5m", "cache_write_1h", "output", "reasoning", "audio_input",
         "audio_output", "image_input", "image", "audio_second", "character", "request"]

FLAGS = {
    "supports_vision": "supports_vision", "supports_function_calling": "supports_functions",
    "supports_tool_choice": "supports_tool_choice", "supports_reasoning": "supports_reasoning",
    "supports_response_schema": "supports_json_schema", "supports_parallel_function_calling": "supports_parallel_calls",
}

LONG, HOURS, PIXELS = "long prompts cost more", "some hours cost less", "output of images has a price of its own"


def read_litellm(root):
    """Return version, licence and {provider: {name: entry}}."""
    info = only(root, "litellm-*.dist-info")
    with open(only(root, "model_prices_and_context_window_backup.json"), encoding="utf-8") as f:
        raw = json.load(f, parse_float=Decimal)
    prefixes = {p[0]: p[1] for p in PROVIDERS.values() if p[0]}
    models = {}
    for key, entry in raw.items():
        provider = entry.get("litellm_provider")
        if provider in prefixes:
            models.setdefault(provider, {}).setdefault(key.removeprefix(prefixes[provider]), entry)
    return version(info), licence(info), models


def read_genai(root):
    """Return version, licence and {provider: {models, pricing_urls}}."""
    info = only(root, "genai_prices-*.dist-info")
    tree = ast.parse(only(root, "data.py").read_text(encoding="utf-8"))
    value = next(n.value for n in tree.body if isinstance(n, ast.AnnAssign) and n.target.id == "providers")
    return version(info), licence(info), {p["id"]: p for p in literal(value)}


def literal(node):
    """Evaluate a literal of constructor calls as dicts that name their type."""
    if isinstance(node, ast.List):
        return [literal(e) for e in node.elts]
    if isinstance(node, ast.Dict):
        return {literal(k): literal(v) for k, v in zip(node.keys, node.values)}
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        if name == "Decimal":
            return Decimal(node.args[0].value)
        if name == "date":
            return "%04d-%02d-%02d" % tuple(a.value for a in node.args)
        return {"is": name} | {k.arg: literal(k.value) for k in node.keywords}
    if isinstance(node, ast.Attribute):
        return node.attr
    return ast.literal_eval(node)


def only(root, pattern):
    found = sorted(Path(root).rglob(pattern))
    if len(found) != 1:
        sys.exit(f"{root} holds {len(found)} of {pattern}, want one")
    return found[0]


def version(info):
    return info.name.removesuffix(".dist-info").rsplit("-", 1)[1]


def licence(info):
    return (info / "licenses" / "LICENSE").read_text(encoding="utf-8").strip()


def matches(clause, name):
    """Evaluate a clause of genai-prices that says which names mean a model."""
    kind, name = clause["is"], name.lower()
    if kind == "ClauseOr":
        return any(matches(c, name) for c in clause["or_"])
    if kind == "ClauseAnd":
        return all(matches(c, name) for c in clause["and_"])
    if kind == "ClauseRegex":
        return re.search(clause["regex"], name) is not None
    text = next(v for k, v in clause.items() if k != "is").lower()
    return {"ClauseEquals": name == text, "ClauseStartsWith": name.startswith(text),
            "ClauseEndsWith": name.endswith(text), "ClauseContains": text in name}[kind]


def in_genai(models, name):
    exact = [m for m in models if m["id"].lower() == name.lower()]
    return next(iter(exact + [m for m in models if matches(m["match"], name)]), None)


def litellm_rates(entry):
    """Return rates per unit and remarks; a price of zero may mean unknown."""
    rates, remarks = {}, set()
    for key, value in entry.items():
        if key in LITELLM_RATES and value is not None and Decimal(value) > 0:
            rates[LITELLM_RATES[key]] = Decimal(value)
        if re.fullmatch(r"(in|out)put_cost_per_token_above_\d+k_tokens", key) or key == "tiered_pricing":
            remarks.add(LONG)
        if key == "off_peak_pricing":
            remarks.add(HOURS)
        if key == "output_cost_per_image_token":
            remarks.add(PIXELS)
    return rates, remarks


def genai_rates(model, date):
    """Return rates per unit and remarks: the standard price of the day, of the
    dearest hour where it depends on the hour."""
    prices, remarks = model.get("prices") or [], set()
    if isinstance(prices, dict):
        prices = [{"prices": prices}]
    standing, hourly = None, []
    for p in prices:
        constraint = p.get("constraint")
        if constraint and constraint["is"] == "TimeOfDateConstraint":
            hourly.append(p["prices"])
        elif not constraint or constraint["start_date"] <= date:
            standing = p["prices"]
    rates = {}
    for price in [standing or {}] + hourly:
        for key, value in price.items():
            if isinstance(value, dict):
                remarks.add(LONG)
                value = value["base"]
            if key in GENAI_RATES and value > 0 and not (key == "cache_write_mtok" and "cache_write_5m_mtok" in price):
                unit = GENAI_RATES[key]
                rates[unit] = max(rates.get(unit, Decimal(0)), value / 1_000_000)
            if key == "output_image_mtok":
                remarks.add(PIXELS)
    if hourly:
        remarks.add(HOURS)
    return rates, remarks


def merge(entry, ours, theirs):
    """Take what both packages state alike or one alone; name what they dispute."""
    for unit in UNITS:
        a, b = exact(ours.get(unit)), exact(theirs.get(unit))
        if a is not None and b is not None and a != b:
            entry.setdefault("disagrees", []).append({"unit": unit, "litellm": number(a), "genai_prices": number(b)})
        elif a is not None or b is not None:
            entry.setdefault("rates", {})[unit] = number(a if a is not None else b)


def exact(value):
    """Return a price that fits in fifteen decimals, None for a rounded quotient."""
    return value if value is not None and value == round(value, 15) else None


class Number(str):
    """A decimal that JSON shows as a number, digit for digit."""


def number(value):
    return Number(format(value.normalize(), "f"))


def modalities(entry, raw):
    """State the input modalities only where the source settles documents, too."""
    given, documents = raw.get("supported_modalities"), raw.get("supports_pdf_input")
    if isinstance(given, list) and (documents is not None or given == ["text"]):
        entry["input_modalities"] = list(given) + (["file"] if documents else [])
    out = raw.get("supported_output_modalities")
    if isinstance(out, list) and set(out) <= {"text", "image", "audio", "video"}:
        entry["output_modalities"] = list(out)


def describe(provider, name, raw, model):
    """Return what the packages state of a model but its prices."""
    entry = {"name": name, "provider": provider}
    mode = raw.get("mode")
    if mode:
        operations = [MODES[mode]]
        if mode == "image_generation" and "/v1/chat/completions" in raw.get("supported_endpoints", []):
            operations.insert(0, "chat")
        entry["operations"] = operations
    window = max(whole(raw.get("max_input_tokens")), whole((model or {}).get("context_window")))
    if window:
        entry["context_window"] = window
    if whole(raw.get("max_output_tokens")) and mode in ("chat", "responses", "completion"):
        entry["max_output_tokens"] = whole(raw["max_output_tokens"])
    modalities(entry, raw)
    for theirs, ours in FLAGS.items():
        if theirs in raw:
            entry[ours] = raw[theirs]
    if raw.get("deprecation_date"):
        entry["retires"] = raw["deprecation_date"]
    return entry


def whole(value):
    return int(value) if value and int(value) > 0 else 0


class Maker:
    """The packages, and how an entry is made of them."""

    def __init__(self, date, litellm, genai):
        self.date = date
        self.litellm_version, self.litellm_licence, self.litellm = read_litellm(litellm)
        self.genai_version, self.genai_licence, self.genai = read_genai(genai)

    def packages(self):
        return [{"name": "litellm", "version": self.litellm_version, "license": "MIT"},
                {"name": "genai-prices", "version": self.genai_version, "license": "MIT"}]

    def entries(self):
        made = []
        for provider, (ours, _, theirs, extra) in PROVIDERS.items():
            known = self.litellm.get(ours, {})
            other = self.genai.get(theirs, {"models": []})
            found = {}
            for name, raw in known.items():
                if self.wanted(provider, name, raw, known):
                    found[name.lower()] = self.entry(provider, name, raw, in_genai(other["models"], name), other)
            for model in other["models"]:
                if extra and self.added(model, extra, known, found):
                    found[model["id"].lower()] = self.entry(provider, model["id"], {}, model, other)
            made += [found[name] for name in sorted(found)]
        return made

    def wanted(self, provider, name, raw, known):
        if raw.get("mode") not in MODES or SKIP.search(name) or raw.get("deprecation_date", "9") <= self.date:
            return False
        if "/" in name and provider not in ("groq", "together"):
            return False
        return not DATED.search(name) or DATED.sub("", name) not in known

    def added(self, model, extra, known, found):
        name = model["id"].lower()
        return (re.match(extra, model["id"]) and model.get("context_window") and not model.get("deprecated")
                and not SKIP.search(name) and name not in found and name not in {k.lower() for k in known}
                and not OTHER.search(name))

    def entry(self, provider, name, raw, model, other):
        entry = describe(provider, name, raw, model)
        ours, remarks = litellm_rates(raw)
        theirs, more = genai_rates(model, self.date) if model else ({}, set())
        merge(entry, ours, theirs)
        if remarks | more:
            entry["remarks"] = sorted(remarks | more)
        entry["sources"] = []
        if raw:
            entry["sources"].append(source("litellm", self.litellm_version, raw.get("source")))
        if model:
            entry["sources"].append(source("genai-prices", self.genai_version, next(iter(other.get("pricing_urls") or []), None)))
        return entry


def source(package, release, url):
    return {"package": package, "version": release} | ({"url": url} if url else {})


def dump(value):
    """Write JSON on one line, decimals digit for digit."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k) + ":" + dump(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dump(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def main():
    if len(sys.argv) != 5 or not re.fullmatch(r"\d{4}-\d\d-\d\d", sys.argv[1]):
        sys.exit(__doc__)
    maker, out = Maker(*sys.argv[1:4]), Path(sys.argv[4])
    entries = maker.entries()
    head = f'{{"date":{dump(maker.date)},"asset":"USD","packages":{dump(maker.packages())},"entries":[\n'
    (out / "catalog.json").write_text(head + ",\n".join(map(dump, entries)) + "\n]}\n", encoding="utf-8")
    (out / "THIRD_PARTY.md").write_text(
        "# Whose data catalog.json is made of\n\nscripts/catalog.py writes this file and catalog.json.\n\n"
        f"## litellm {maker.litellm_version}\n\n```\n{maker.litellm_licence}\n```\n\n"
        f"## genai-prices {maker.genai_version}\n\n```\n{maker.genai_licence}\n```\n", encoding="utf-8")
    print(f"{len(entries)} entries, {sum('disagrees' in e for e in entries)} with a disputed price")


if __name__ == "__main__":
    main()
