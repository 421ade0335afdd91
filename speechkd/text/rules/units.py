"""Percent, degrees and units of measure behind a number, and larger counts (5k, 3 bn)."""

from __future__ import annotations

from re import Match

from speechkd.text.rules.money import SCALES
from speechkd.text.rules.numbers import decimal, is_one, plain_number
from speechkd.text.rules.rule import Rule, kept_dot, one_of

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
    low, high, unit = match.groups()
    return f"{decimal(low)} to {decimal(high)} {UNITS[unit][1]}"


def _adjective(match: Match[str]) -> str:
    return f"{decimal(match[1])} {UNITS[match[2]][0]} "


def _scaled(match: Match[str]) -> str:
    return f"{decimal(match[1])} {SCALES[match[2]]}"


def _feet_and_inches(match: Match[str]) -> str:
    return f"{plain_number(match[1])} foot {plain_number(match[2])}"


_UNIT = f"({one_of(UNITS)})"
_END = r"(?![\w'/])"
UNIT_RULES = (
    Rule("inches", r"(?<=\d/\d)\"|(?<=\d/\d\d)\"", " inch"),
    Rule("feet and inches", r"(?<![\w.])(\d{1,2})'(\d{1,2})(?:\"|''|(?!\w))", _feet_and_inches),
    Rule(
        "measure range", rf"(?<![\w.,-])(\d{{1,9}}(?:\.\d+)?) ?- ?(\d{{1,9}}(?:\.\d+)?) ?{_UNIT}{_END}", _measure_range
    ),
    Rule(
        "measure adjective", r"(?<![\w.,])(\d{1,9})-(km|mm|cm|kg|lb|oz|ft|hr|min|sec|ms|mph|GB|MB|KB|m)\b", _adjective
    ),
    Rule("measure", rf"(?<![\w.]){_AMOUNT} ?{_UNIT}{_END}(\.?)", _measure),
    Rule("scaled", r"(?<![\w.])(\d+(?:\.\d+)?)(k|K|M|bn|(?<=\.\d)B)\b", _scaled),
)
