"""Words that came up after the CMU dictionary, and words of this field. The dictionary's own entries come first."""

EXTRA_WORDS = {
    line.split(" ", 1)[0]: line.split(" ", 1)[1]
    for line in """\
brr B ER1
brrr B ER1
covid K OW1 V IH0 D
emoji IH0 M OW1 JH IY0
gif G IH1 F
grr G ER1
grrr G ER1
jpeg JH EY1 P EH2 G
kubernetes K UW2 B ER0 N EH1 T IY0 Z
miz M IH1 Z
numpy N AH1 M P AY2
paise P AY1 S AH0
pytorch P AY1 T AO2 R CH
psst P S IH1 T
tsk T IH1 S K
uefa Y UW0 EY1 F AH0
vocoder V OW1 K OW2 D ER0""".splitlines()
}
