#!/usr/bin/env bash
# Every objective from the model of ./run.sh ce, three seeds each, then the table: ./arms.sh [SETTINGS FOR run.sh]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for seed in 1 2 3; do
  for arm in more terminal reward_to_go pcpg1 pcpg3 pcpg5 pcpg8; do
    "$here/run.sh" "$arm" --set "train.seed=$seed" --set "run.dir=$here/../../../exp/talker/lipread1/$arm-$seed" "$@"
  done
done
exec "$here/run.sh" compare
