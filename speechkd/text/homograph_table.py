"""Words that are written alike and said differently, with their readings; the first reading is the default.

The names of the readings are parts of speech (noun, verb, adj; adj stands with noun or verb where they sound alike) or
what the word means. The phones are those of the CMU dictionary where it lists the reading.
"""

from __future__ import annotations

# Readings that turn on the part of speech alone.
_BY_PART = """\
absent  adj AE1 B S AH0 N T  verb AE0 B S EH1 N T
abstract  noun/adj AE1 B S T R AE2 K T  verb AE0 B S T R AE1 K T
abuse  noun AH0 B Y UW1 S  verb AH0 B Y UW1 Z
addict  noun AE1 D IH2 K T  verb AH0 D IH1 K T
address  noun AE1 D R EH2 S  verb AH0 D R EH1 S
advocate  noun AE1 D V AH0 K AH0 T  verb AE1 D V AH0 K EY2 T
affiliate  noun AH0 F IH1 L IY0 AH0 T  verb AH0 F IH1 L IY0 EY2 T
affix  verb AH0 F IH1 K S  noun AE1 F IH0 K S
aggregate  noun/adj AE1 G R AH0 G AH0 T  verb AE1 G R AH0 G EY2 T
ally  noun AE1 L AY0  verb AH0 L AY1
alternate  adj/noun AO1 L T ER0 N AH0 T  verb AO1 L T ER0 N EY2 T
animate  verb AE1 N AH0 M EY2 T  adj AE1 N AH0 M AH0 T
annex  noun AE1 N EH2 K S  verb AH0 N EH1 K S
appropriate  adj AH0 P R OW1 P R IY0 AH0 T  verb AH0 P R OW1 P R IY0 EY2 T
approximate  adj AH0 P R AA1 K S AH0 M AH0 T  verb AH0 P R AA1 K S AH0 M EY2 T
articulate  adj AA0 R T IH1 K Y AH0 L AH0 T  verb AA0 R T IH1 K Y AH0 L EY2 T
associate  noun/adj AH0 S OW1 S IY0 AH0 T  verb AH0 S OW1 S IY0 EY2 T
attribute  verb AH0 T R IH1 B Y UW2 T  noun AE1 T R AH0 B Y UW2 T
buffet  noun B AH0 F EY1  verb B AH1 F AH0 T
combine  verb K AH0 M B AY1 N  noun K AA1 M B AY0 N
commune  noun K AA1 M Y UW0 N  verb K AH0 M Y UW1 N
compact  adj/noun K AA1 M P AE0 K T  verb K AH0 M P AE1 K T
compound  noun/adj K AA1 M P AW0 N D  verb K AH0 M P AW1 N D
compress  verb K AH0 M P R EH1 S  noun K AA1 M P R EH0 S
conduct  noun K AA1 N D AH0 K T  verb K AH0 N D AH1 K T
conflict  noun K AA1 N F L IH0 K T  verb K AH0 N F L IH1 K T
console  noun K AA1 N S OW0 L  verb K AH0 N S OW1 L
construct  verb K AH0 N S T R AH1 K T  noun K AA1 N S T R AH0 K T
contest  noun K AA1 N T EH0 S T  verb K AH0 N T EH1 S T
contract  noun K AA1 N T R AE2 K T  verb K AH0 N T R AE1 K T
contrast  noun K AA1 N T R AE0 S T  verb K AH0 N T R AE1 S T
converse  verb K AH0 N V ER1 S  noun/adj K AA1 N V ER0 S
convert  verb K AH0 N V ER1 T  noun K AA1 N V ER0 T
convict  noun K AA1 N V IH0 K T  verb K AH0 N V IH1 K T
coordinate  verb K OW0 AO1 R D AH0 N EY2 T  noun/adj K OW0 AO1 R D AH0 N AH0 T
decrease  noun D IY1 K R IY2 S  verb D IH0 K R IY1 S
defect  noun D IY1 F EH0 K T  verb D IH0 F EH1 K T
degenerate  verb D IH0 JH EH1 N ER0 EY2 T  noun/adj D IH0 JH EH1 N ER0 AH0 T
delegate  noun D EH1 L AH0 G AH0 T  verb D EH1 L AH0 G EY2 T
deliberate  adj D IH0 L IH1 B ER0 AH0 T  verb D IH0 L IH1 B ER0 EY2 T
desert  noun D EH1 Z ER0 T  verb D IH0 Z ER1 T
designate  verb D EH1 Z IH0 G N EY2 T  adj D EH1 Z IH0 G N AH0 T
detail  noun D IY1 T EY0 L  verb D IH0 T EY1 L
diffuse  verb D IH0 F Y UW1 Z  adj D IH0 F Y UW1 S
digest  verb D AY0 JH EH1 S T  noun D AY1 JH EH0 S T
discharge  noun D IH1 S CH AA2 R JH  verb D IH0 S CH AA1 R JH
discount  noun D IH1 S K AW0 N T  verb D IH0 S K AW1 N T
duplicate  noun/adj D UW1 P L AH0 K AH0 T  verb D UW1 P L AH0 K EY2 T
elaborate  adj IH0 L AE1 B R AH0 T  verb IH0 L AE1 B ER0 EY2 T
escort  noun EH1 S K AO0 R T  verb EH0 S K AO1 R T
essay  noun EH1 S EY2  verb EH0 S EY1
estimate  noun EH1 S T AH0 M AH0 T  verb EH1 S T AH0 M EY2 T
excuse  noun IH0 K S K Y UW1 S  verb IH0 K S K Y UW1 Z
exploit  verb EH2 K S P L OY1 T  noun EH1 K S P L OY2 T
export  noun EH1 K S P AO0 R T  verb IH0 K S P AO1 R T
extract  verb IH0 K S T R AE1 K T  noun EH1 K S T R AE2 K T
fragment  noun F R AE1 G M AH0 N T  verb F R AE0 G M EH1 N T
frequent  adj F R IY1 K W AH0 N T  verb F R IY1 K W EH2 N T
graduate  noun/adj G R AE1 JH AH0 W AH0 T  verb G R AE1 JH AH0 W EY2 T
house  noun HH AW1 S  verb HH AW1 Z
impact  noun IH1 M P AE0 K T  verb IH2 M P AE1 K T
implant  noun IH1 M P L AE2 N T  verb IH2 M P L AE1 N T
import  noun IH1 M P AO2 R T  verb IH2 M P AO1 R T
imprint  noun IH1 M P R IH0 N T  verb IH2 M P R IH1 N T
incense  noun IH1 N S EH2 N S  verb IH2 N S EH1 N S
incline  noun IH1 N K L AY0 N  verb IH2 N K L AY1 N
increase  noun IH1 N K R IY2 S  verb IH2 N K R IY1 S
initiate  verb IH2 N IH1 SH IY0 EY2 T  noun IH2 N IH1 SH IY0 AH0 T
insert  verb IH2 N S ER1 T  noun IH1 N S ER2 T
insult  noun IH1 N S AH2 L T  verb IH2 N S AH1 L T
intimate  adj/noun IH1 N T AH0 M AH0 T  verb IH1 N T AH0 M EY2 T
intrigue  noun IH1 N T R IY0 G  verb IH2 N T R IY1 G
misuse  noun M IH0 S Y UW1 S  verb M IH0 S Y UW1 Z
moderate  adj/noun M AA1 D ER0 AH0 T  verb M AA1 D ER0 EY2 T
object  noun AA1 B JH EH0 K T  verb AH0 B JH EH1 K T
overflow  noun OW1 V ER0 F L OW2  verb OW2 V ER0 F L OW1
perfect  adj/noun P ER1 F IH2 K T  verb P ER0 F EH1 K T
perfume  noun P ER1 F Y UW2 M  verb P ER0 F Y UW1 M
permit  verb P ER0 M IH1 T  noun P ER1 M IH2 T
pervert  noun P ER1 V ER0 T  verb P ER0 V ER1 T
predicate  noun P R EH1 D IH0 K AH0 T  verb P R EH1 D AH0 K EY2 T
present  noun/adj P R EH1 Z AH0 N T  verb P R IY0 Z EH1 N T
proceed  verb P R AH0 S IY1 D  noun P R OW1 S IY2 D
produce  verb P R AH0 D UW1 S  noun P R OW1 D UW0 S
progress  noun P R AA1 G R EH2 S  verb P R AH0 G R EH1 S
project  noun P R AA1 JH EH0 K T  verb P R AH0 JH EH1 K T
protest  noun P R OW1 T EH2 S T  verb P R AH0 T EH1 S T
rebel  noun R EH1 B AH0 L  verb R IH0 B EH1 L
recall  verb R IH0 K AO1 L  noun R IY1 K AO2 L
recess  noun R IY1 S EH0 S  verb R IH0 S EH1 S
record  noun R EH1 K ER0 D  verb R AH0 K AO1 R D
refund  noun R IY1 F AH2 N D  verb R IH0 F AH1 N D
refuse  verb R AH0 F Y UW1 Z  noun R EH1 F Y UW2 Z
reject  verb R IH0 JH EH1 K T  noun R IY1 JH EH0 K T
resume  verb R IH0 Z UW1 M  noun R EH1 Z AH0 M EY2
rewrite  verb R IY0 R AY1 T  noun R IY1 R AY2 T
segment  noun S EH1 G M AH0 N T  verb S EH2 G M EH1 N T
separate  adj/noun S EH1 P ER0 IH0 T  verb S EH1 P ER0 EY2 T
subject  noun/adj S AH1 B JH IH0 K T  verb S AH0 B JH EH1 K T
subordinate  noun/adj S AH0 B AO1 R D AH0 N AH0 T  verb S AH0 B AO1 R D AH0 N EY2 T
survey  noun S ER1 V EY2  verb S ER0 V EY1
suspect  noun/adj S AH1 S P EH2 K T  verb S AH0 S P EH1 K T
syndicate  noun S IH1 N D IH0 K AH0 T  verb S IH1 N D AH0 K EY2 T
torment  noun T AO1 R M EH2 N T  verb T AO0 R M EH1 N T
transfer  noun T R AE1 N S F ER0  verb T R AE0 N S F ER1
transport  noun T R AE1 N S P AO0 R T  verb T R AE0 N S P AO1 R T
update  noun AH1 P D EY2 T  verb AH0 P D EY1 T
upgrade  noun AH1 P G R EY2 D  verb AH0 P G R EY1 D
upset  verb/adj AH0 P S EH1 T  noun AH1 P S EH2 T
use  verb Y UW1 Z  noun Y UW1 S
"""
# Readings that turn on more: tense, sense, the words around.
_BY_SENSE = """\
aged  verb EY1 JH D  adj EY1 JH IH0 D
august  month AO1 G AH0 S T  majestic AO0 G AH1 S T
bass  music B EY1 S  fish B AE1 S
blessed  verb B L EH1 S T  holy B L EH1 S IH0 D
bow  weapon B OW1  bend B AW1
close  near K L OW1 S  shut K L OW1 Z
content  noun K AA1 N T EH0 N T  adj K AH0 N T EH1 N T
does  do D AH1 Z  deer D OW1 Z
dove  bird D AH1 V  dive D OW1 V
entrance  door EH1 N T R AH0 N S  charm IH0 N T R AE1 N S
invalid  void IH2 N V AE1 L AH0 D  sick IH1 N V AH0 L AH0 D
lead  guide L IY1 D  metal L EH1 D
learned  verb L ER1 N D  wise L ER1 N IH0 D
live  verb L IH1 V  adj L AY1 V
lives  noun L AY1 V Z  verb L IH1 V Z
minute  time M IH1 N AH0 T  tiny M AY0 N UW1 T
number  count N AH1 M B ER0  numb N AH1 M ER0
polish  shine P AA1 L IH0 SH  nation P OW1 L IH0 SH
putting  put P UH1 T IH0 NG  golf P AH1 T IH0 NG
read  present R IY1 D  past R EH1 D
row  line R OW1  quarrel R AW1
sow  plant S OW1  pig S AW1
tear  eye T IH1 R  rip T EH1 R
used  verb Y UW1 Z D  habit Y UW1 S T
wind  air W IH1 N D  turn W AY1 N D
wound  injury W UW1 N D  turned W AW1 N D
"""


def _read(table: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Word to the phones of each of its readings, in the order of the table."""
    words: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in table.splitlines():
        word, *readings = line.split("  ")
        for reading in readings:
            names, phones = reading.split(" ", 1)
            for name in names.split("/"):
                words.setdefault(word, {})[name] = tuple(phones.split())
    return words


BY_PART = _read(_BY_PART)
BY_SENSE = _read(_BY_SENSE)
