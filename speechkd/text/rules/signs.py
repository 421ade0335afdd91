"""The signs that stand between words and numbers: & @ # + = / < >, and signs left alone."""

from __future__ import annotations

from speechkd.text.rules.rule import SPELL, NumberRule, Rule

EARLY_SIGN_RULES = (
    NumberRule("hash before a number", r"#(?=\d)", "number "),
    NumberRule("about", r"~ ?(?=[$£€]?\d)", "about "),
    Rule("and", r"(?<=\w )'?n'(?= \w)", "and"),
    Rule("the organization", r"\b([Tt]he) WHO\b", rf"\1 {SPELL}WHO"),
    Rule("and/or", r"\b(and)/(or)\b", r"\1 \2"),
    NumberRule("times", r"(?<=\d) ?[x*] ?(?=\d)", " times "),
)
# After the numbers have become words. Blanks come one at a time here.
LATE_SIGN_RULES = (
    Rule("initials and", r"\b([A-Z]{1,2}) ?& ?([A-Z])\b", rf"{SPELL}\1 and {SPELL}\2"),
    Rule("ampersand", "&", " and "),
    Rule("hash", r"#(?=\w)", " hashtag "),
    Rule("at", r"@", " at "),
    Rule("equals", r"=+", " equals "),
    Rule("per", r"(?<=[a-z]) ?/ ?(?=(?:second|minute|hour|day|week|month|year)\b)", " per "),
    Rule("slash", r"(?<=\w) ?/ ?(?=\w)", " slash "),
    Rule("plus", r"\+", " plus "),
    Rule("percent", "%", " percent "),
    Rule("dollar", r"\$", " dollar "),
    Rule("pound", "£", " pound "),
    Rule("euro", "€", " euro "),
    Rule("yen", "¥", " yen "),
    Rule("rupee", "₹", " rupee "),
    Rule("cent", "¢", " cent "),
    Rule("degree", "°", " degrees "),
    Rule("micro", "μ", " micro "),
    Rule("ohm", "Ω", " ohm "),
    Rule("less", r"(?<= )<(?= )", "is less than"),
    Rule("greater", r"(?<= )>(?= )", "is greater than"),
)
