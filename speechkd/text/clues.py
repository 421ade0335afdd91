"""Words that tell the sense of a homograph when they stand near it."""

from __future__ import annotations

AGED_PERSONS = frozenset("couple man woman mother father parents aunt uncle people king widow".split())
AUGUST_THINGS = frozenset("body company institution assembly presence gathering personage house".split())
BEFORE_LIVE = frozenset(
    "broadcast aired shown streamed go goes going went seen perform performed performing reporting recorded playing "
    "played sing sang".split()
)
BEFORE_METAL = frozenset("of with like as and from often in".split())
BOW_BEND = frozenset(
    "ship boat stern took take deep low slight vessel canoe shoreward polite stage curtain final ferry audience".split()
)
BOW_WEAPON = frozenset(
    "arrow arrows violin cello ribbon hair tie strings archer hunt hunted aimed quiver fiddle".split()
)
CRYING = frozenset(
    "eye eyes cheek cheeks cry crying cried wept weeping wiped shed joy face burst drop single grief sad brushed "
    "broke moved laughter".split()
)
DEER = frozenset("buck bucks deer stag stags fawn fawns herd".split())
DEER_COUNTS = frozenset("two three four five six several many some of and young".split())
DIVES = frozenset(
    "into in under down for toward towards off from through headfirst deep beneath behind straight over overboard "
    "underwater".split()
)
FISHING = frozenset(
    "fish fishing fished caught catch lake river striped largemouth smallmouth sea angler trout pond fillet fillets "
    "grilled perch salmon boat hook bait".split()
)
GOLF = frozenset("golfer golf greens".split())
HELPERS = frozenset("to could can will may might would should not".split())
INVERTING = frozenset(
    "did does do can could will would should let made make didn't shall may might must help hear heard".split()
)
KIN = frozenset(
    "mother father wife husband brother sister son daughter aunt uncle parents child chair soldiers".split()
)
LEAD_TALK = frozenset(
    "metal paint pipes poison toxic copper zinc mercury iron tin gasoline roof bullets made heavy arsenic cadmium "
    "contains soil blood lined covered".split()
)
LEAD_THINGS = frozenset(
    "paint paints pipe pipes poisoning bullet bullets pencil acid ore mine mines exposure crystal batteries "
    "contamination glass content shot based levels weights toys solder".split()
)
LEARNED_THINGS = frozenset(
    "man men woman judge professor scholar scholars friend counsel society journal journals people doctor doctors "
    "paper discussion gentleman monk".split()
)
LIVE_THINGS = frozenset(
    "music show shows broadcast television tv audience coverage wire wires concert album performance performances "
    "event events bait animals ammunition recording stream video update updates fire births theater feed bands "
    "band".split()
)
MEASURABLE = frozenset(
    "amount amounts detail details trace traces quantities quantity particles differences difference changes "
    "fraction cracks doses dose proportions creatures organisms variations fragments pieces scrutiny examination "
    "insects".split()
)
PIGS = frozenset("piglets pigs boar farrowing".split())
TORN_THINGS = frozenset(
    "jacket fabric muscle ligament shirt coat sleeve paper wear knee dress sail tendon cartilage pants net curtain "
    "shoulder".split()
)
