"""Words that came up after the CMU dictionary, and words of this field. The dictionary's own entries come first."""

EXTRA_WORDS = {
    line.split(" ", 1)[0]: line.split(" ", 1)[1]
    for line in """\
app AE1 P
apps AE1 P S
bitcoin B IH1 T K OY2 N
brr B ER1
brrr B ER1
celsius S EH1 L S IY0 AH0 S
covid K OW1 V IH0 D
emoji IH0 M OW1 JH IY0
fifa F IY1 F AH0
gif G IH1 F
grr G ER1
grrr G ER1
hashtag HH AE1 SH T AE2 G
jpeg JH EY1 P EH2 G
kubernetes K UW2 B ER0 N EH1 T IY0 Z
linux L IH1 N AH0 K S
meme M IY1 M
miz M IH1 Z
netflix N EH1 T F L IH2 K S
numpy N AH1 M P AY2
paise P AY1 S AH0
phoneme F OW1 N IY2 M
podcast P AA1 D K AE2 S T
pytorch P AY1 T AO2 R CH
selfie S EH1 L F IY0
psst P S IH1 T
spotify S P AA1 T AH0 F AY2
tsk T IH1 S K
uefa Y UW0 EY1 F AH0
vocoder V OW1 K OW2 D ER0
wikipedia W IH2 K AH0 P IY1 D IY0 AH0
youtube Y UW1 T UW2 B""".splitlines()
}
