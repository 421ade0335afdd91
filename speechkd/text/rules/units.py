"""Percent, degrees and units of measure behind a number, and larger counts (5k, 3 bn)."""

from __future__ import annotations

from re import Match

from speechkd.text.rules.money import SCALES
from speechkd.text.rules.numbers import decimal, is_one, plain_number
from speechkd.text.rules.rule import BEFORE_NOUN, BEHIND_ARTICLE, SPELL, NumberRule, kept_dot, one_of

_TABLE = """\
km kilometer|kilometers
m meter|meters
cm centimeter|centimeters
mm millimeter|millimeters
nm nanometer|nanometers
μm micrometer|micrometers
mi mile|miles
ft foot|feet
yd yard|yards
kg kilogram|kilograms
g gram|grams
mg milligram|milligrams
lb pound|pounds
lbs pound|pounds
oz ounce|ounces
tbsp tablespoon|tablespoons
tsp teaspoon|teaspoons
gal gallon|gallons
l liter|liters
L liter|liters
ml milliliter|milliliters
mL milliliter|milliliters
s second|seconds
sec second|seconds
secs second|seconds
ms millisecond|milliseconds
μs microsecond|microseconds
ns nanosecond|nanoseconds
min minute|minutes
mins minute|minutes
h hour|hours
hr hour|hours
hrs hour|hours
yr year|years
yrs year|years
km/h kilometer per hour|kilometers per hour
kph kilometer per hour|kilometers per hour
mph mile per hour|miles per hour
m/s meter per second|meters per second
rpm revolution per minute|revolutions per minute
Hz hertz|hertz
kHz kilohertz|kilohertz
MHz megahertz|megahertz
GHz gigahertz|gigahertz
dB decibel|decibels
W watt|watts
kW kilowatt|kilowatts
kWh kilowatt hour|kilowatt hours
MW megawatt|megawatts
V volt|volts
mA milliamp|milliamps
Ω ohm|ohms
KB kilobyte|kilobytes
kB kilobyte|kilobytes
MB megabyte|megabytes
GB gigabyte|gigabytes
TB terabyte|terabytes
PB petabyte|petabytes
MWh megawatt hour|megawatt hours
GW gigawatt|gigawatts
kV kilovolt|kilovolts
mV millivolt|millivolts
mAh milliamp hour|milliamp hours
mpg mile per gallon|miles per gallon
bps basis point|basis points
kcal kilocalorie|kilocalories
fps frame per second|frames per second
ha hectare|hectares
hp horsepower|horsepower
kPa kilopascal|kilopascals
hPa hectopascal|hectopascals
kbps kilobit per second|kilobits per second
Mbps megabit per second|megabits per second
Gbps gigabit per second|gigabits per second
px pixel|pixels
°C degree celsius|degrees celsius
°F degree fahrenheit|degrees fahrenheit
° degree|degrees
% percent|percent"""
# sign: one, many
UNITS = {line.split(" ")[0]: line.split(" ", 1)[1].split("|") for line in _TABLE.splitlines()}
UNITS["sq ft"] = ["square foot", "square feet"]
UNITS["sq mi"] = ["square mile", "square miles"]
UNITS["psi"] = [f"{SPELL}PSI"] * 2
UNITS |= {
    f"{length}{power}": [f"{kind} {name}" for name in UNITS[length]]
    for length in ("km", "m", "cm", "mm", "mi", "ft", "yd")
    for power, kind in (("²", "square"), ("2", "square"), ("³", "cubic"), ("3", "cubic"))
}
# What may stand before and behind a slash, beside the units that are in the table with one.
_UPPER = "km m cm mm kg g mg μg L l mL ml MB GB KB kB TB kWh J N".split()
_LOWER = {"s": "second", "s²": "second squared", "s2": "second squared", "h": "hour", "hr": "hour", "min": "minute",
          "L": "liter", "l": "liter", "mL": "milliliter", "ml": "milliliter", "kg": "kilogram", "m": "meter",
          "dL": "deciliter", "m²": "square meter", "m2": "square meter", "m³": "cubic meter", "m3": "cubic meter",
          "cm³": "cubic centimeter", "km²": "square kilometer", "day": "day"}  # fmt: skip
UNITS |= {"μg": ["microgram", "micrograms"], "J": ["joule", "joules"], "N": ["newton", "newtons"],
          "mSv": ["millisievert", "millisieverts"]}  # fmt: skip
UNITS |= {
    f"{upper}/{lower}": [f"{name} per {name_below}" for name in UNITS[upper]]
    for upper in _UPPER
    for lower, name_below in _LOWER.items()
}
_AMOUNT = r"(-|\+)?(\d{1,3}(?:,\d{3}){1,6}(?:\.\d+)?|\d+(?:\.\d+)?)"
# Units that are also written with a dot behind them.
_DOTTED = frozenset("tbsp tsp gal mi ft yd lb lbs oz sec secs min mins hr hrs yr yrs".split())
_SIGNS = {"-": "minus ", "+": "plus ", None: ""}


def _measure(match: Match[str]) -> str:
    sign, amount, unit, dot = match.groups()
    spoken = f"{_SIGNS[sign]}{decimal(amount)} {UNITS[unit][0 if is_one(amount) else 1]}"
    if not dot or unit not in _DOTTED:
        return spoken + dot
    return spoken + kept_dot(match)


def _measure_range(match: Match[str]) -> str:
    low, high, unit, dot = match.groups()
    end = kept_dot(match) if unit in _DOTTED and dot else dot
    return f"{decimal(low)} to {decimal(high)} {UNITS[unit][1]}{end}"


def _adjective(match: Match[str]) -> str:
    return f"{decimal(match[1])} {UNITS[match[2]][0]} "


def _before_noun(match: Match[str]) -> str:
    return f"{match[1]} {decimal(match[2])} {UNITS[match[3]][0]}"


def _inches(match: Match[str]) -> str:
    return f"{decimal(match[1])} {'inch' if is_one(match[1]) else 'inches'}{kept_dot(match)}"


def _percent_range(match: Match[str]) -> str:
    return f"{decimal(match[1])} to {decimal(match[2])} percent"


def _scaled(match: Match[str]) -> str:
    return f"{decimal(match[1])} {SCALES[match[2]]}"


def _feet_and_inches(match: Match[str]) -> str:
    return f"{plain_number(match[1])} foot {plain_number(match[2])}"


_UNIT = f"({one_of(UNITS)})"
_END = r"(?![\w'/²³])"
_LASTING = "walk|walks|drive|ride|run|break|delay|wait|flight|trip|video|talk|speech|session|show|limit"
UNIT_RULES = (
    NumberRule("inches", r"(?<=\d/\d)\"|(?<=\d/\d\d)\"", " inch"),
    NumberRule("feet and inches", r"(?<![\w.])(\d{1,2})'(\d{1,2})(?:\"|''|(?!\w))", _feet_and_inches),
    NumberRule(
        "measure range",
        rf"(?<![\w.,-])(\d{{1,9}}(?:\.\d+)?) ?- ?(\d{{1,9}}(?:\.\d+)?) ?{_UNIT}{_END}(\.?)",
        _measure_range,
    ),
    NumberRule(
        "measure adjective", r"(?<![\w.,])(\d{1,9})-(km|mm|cm|kg|lb|oz|ft|hr|min|sec|ms|mph|GB|MB|KB|m)\b", _adjective
    ),
    NumberRule("percent range", r"(?<![\w.,-])(\d{1,9}(?:\.\d+)?)% ?- ?(\d{1,9}(?:\.\d+)?)%", _percent_range),
    NumberRule("inches, dotted", r"(?<![\w.,])(\d{1,9}(?:\.\d+)?) in\.", _inches),
    NumberRule("feet, inches", r"(?<=\d) (ft|feet)\.? (\d{1,2}) in\b", r" \1 \2 inches"),
    NumberRule("kelvin", r"(?<=\d) K\b(?!')", " kelvin"),
    NumberRule(
        "measure, length of time", rf"(?<![\w.,])(\d{{1,9}}) ?(min|hr|sec|mi)\.?(?= (?:{_LASTING})\b)", _adjective
    ),
    NumberRule(
        "measure before a noun", rf"{BEHIND_ARTICLE}(\d{{1,9}}(?:\.\d+)?) ?{_UNIT}{_END}\.?{BEFORE_NOUN}", _before_noun
    ),
    NumberRule("measure", rf"(?<![\w.]){_AMOUNT} ?{_UNIT}{_END}(\.?)", _measure),
    NumberRule("scaled", r"(?<![\w.])(\d+(?:\.\d+)?)(k|K|M|bn|(?<=\d)B)\b", _scaled),
)
