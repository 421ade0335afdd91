"""The data of `letter_rules`: ordered rules `left{letters}right  SOUNDS`, and endings that place the stress."""

from __future__ import annotations

import re

# The last vowel of these endings has the stress (engineer, antique, cigarette).
STRESS_ON = re.compile(r"(?:eer|ee|oon|ette|esque|ique|aire|ese)$")
# The vowel before these endings has it (nation, heroic, activity, biology).
STRESS_BEFORE = re.compile(
    r"(?:[tscx]ions?|[tc]ians?|[tc]ial|[tc]ious|ic|ics|ical|ity|ify|ogy|aphy|omy|ia|ian|ium|eous|ious|ually?)$"
)

RULES = r"""
{augh}t  AO
{au}  AO
{aw}  AO
{ayer}$  EY ER
{ay}  EY
{aigh}  EY
{air}  EH R
{ain}$  EY N
{ai}  EY
{alk}  AO K
{all}  AO L
{alm}$  AA M
{al}[dt]  AO L
...{al}$  AH L
...{als}$  AH L Z
{aa}  AA
{ae}  IY
{ah}  AA
{ao}  AW
{are}$  EH R
{arr}V  EH R
w{ar}C  AO R
qu{ar}C  AO R
...{ard}$  ER D
{ar}V  EH R
{ar}  AA R
{a}ble$  EY
..{age}$  IH JH
{ange}  EY N JH
{a}tion  EY
{a}cious  EY
{a}ste$  EY
{a}Ce[sd]?$  EY
{a}Cing  EY
{a}C[i][aou]  EY
w{a}[tnslsd]  AA
qu{a}  AA
{a}  AE
{bb}  B
m{b}$  -
{b}t$  -
{b}  B
s{ch}[rlmwo]  K
{chr}  K R
{cch}  K
{ch}  CH
{ck}  K
{ci}[ao]  SH
{cc}[eiy]  K S
{cc}  K
s{c}[eiy]  -
{c}[eiy]  S
{cz}  CH
{cqu}  K W
{c}  K
{dge}  JH
{dg}  JH
{dj}  JH
{dd}  D
{d}  D
{eigh}  EY
{eau}  OW
{ear}C  ER
{ear}  IH R
{ea}d$  EH
{ea}th  EH
{ea}  IY
{eer}  IH R
{ee}  IY
c{ei}  IY
{ei}  AY
{eur}  ER
r{eu}  UW
{eu}  Y UW
[rlj]{ew}  UW
h{ew}  UW
{ew}  Y UW
{ey}$  IY
{eys}$  IY Z
{ey}  EY
..{ere}$  IH R
{err}V  EH R
{er}C  ER
{er}V  EH R
{er}  ER
[xszh]{es}$  IH Z
c{es}$  IH Z
g{es}$  IH Z
{eo}  IY AH
{e}ous  IY
[td]{ed}$  IH D
[pkfshx]{ed}$  T
..{ed}$  D
..{e}$  -
..{e}s$  -
{e}$  IY
..C{e}(?:ly|ment|ness|less|ful)  -
{e}C[i][aou]  IY
{e}  EH
{ff}  F
{f}  F
{gg}  G
^{gh}  G
{gh}  -
^{gn}  N
{gn}$  N
{gu}[eiy]  G
^{g}i[lrv]  G
^{g}et  G
{g}[eiy]  JH
{g}  G
{h}V  HH
{h}  -
{igh}  AY
{ign}$  AY N
{ield}  IY L D
{ier}$  IY ER
{ieu}  Y UW
{ie}$  IY
{ies}$  IY Z
{ie}  IY
{ing}$  IH NG
{ings}$  IH NG Z
{ind}$  AY N D
{ild}$  AY L D
{ious}  IY AH S
{ia}$  IY AH
{ia}  IY AH
{io}  IY OW
{iu}  IY AH
{ire}$  AY ER
{ir}V  IH R
{ir}  ER
{ique}$  IY K
{igue}$  IY G
{i}[sz]e$  AY
...{i}ve$  IH
....{i}ce$  IH
...{i}ne$  IY
{i}Ce[sd]?$  AY
{i}$  IY
{i}  IH
{jj}  JH
{j}  JH
^{kn}  N
{kk}  K
{kh}  K
{k}  K
C{le}$  AH L
C{les}$  AH L Z
{ll}  L
{l}  L
^{mc}  M AH K
{mm}  M
{mn}$  M
{m}  M
{nn}  N
{ng}$  NG
{ngs}$  NG Z
{ng}[eiy]  N JH
{ng}[aour]  NG G
{ng}l  NG G
{ng}  NG
{n}[kxq]  NG
{n}  N
{oar}  AO R
{oa}  OW
{oi}  OY
{oy}  OY
{oor}  AO R
{oo}k  UH
{oo}  UW
{ough}t  AO
{ough}  OW
{ould}  UH D
..{ous}$  AH S
{our}  AO R
{ou}  AW
{own}  AW N
..{ow}$  OW
..{ows}$  OW Z
{ow}  AW
{oe}  OW
{old}  OW L D
{olk}  OW K
{oll}$  OW L
{ost}$  OW S T
{ore}  AO R
w{or}C  ER
...{or}$  ER
...{ors}$  ER Z
{or}  AO R
...{on}$  AH N
...{ons}$  AH N Z
{ong}  AO NG
{o}gy  AA
{o}tion  OW
{o}ff  AO
{o}ss  AO
{o}C[i][aou]  OW
{o}Ce[sd]?$  OW
{o}$  OW
{os}$  OW Z
{o}  AA
{ph}  F
^{ps}  S
^{pn}  N
^{pt}  T
{pp}  P
{p}  P
{que}$  K
{qu}  K W
{q}  K
{rh}  R
{rr}  R
{r}  R
^{sch}  SH
{sch}$  SH
{sch}  S K
{sh}  SH
{ssion}  SH AH N
V{sion}  ZH AH N
{sion}  SH AH N
{ss}  S
{st}le$  S
V{s}V  Z
[bdglmnrvw]{s}$  Z
e{s}$  Z
i{s}m$  Z
{s}  S
{tion}  SH AH N
{tious}  SH AH S
{tia}  SH AH
{ture}  CH ER
{tch}  CH
V{th}er  DH
{th}  TH
{tt}  T
{t}z  T
{t}  T
g{u}[eiy]  -
{ue}$  UW
{ui}  UW
{ur}V  UH R
{ur}  ER
..{u}l$  AH
^{u}C[aeio]  Y UW
[rljcs]{u}C[aeio]  UW
h{u}C[ei]  UW
^{u}ni  Y UW
{u}C[aeio]  Y UW
{u}V  UW
{u}$  UW
{u}  AH
{vv}  V
{v}  V
{wh}  W
^{wr}  R
{w}V  W
{w}  -
^{x}  Z
^e{x}V  G Z
{xc}[eiy]  K S
{x}  K S
^C{y}$  AY
^CC{y}$  AY
{y}$  IY
^{y}  Y
V{y}V  Y
{y}C[e]$  AY
{yr}C  ER
{y}  IH
{zz}  Z
t{z}  S
{z}  Z
"""
