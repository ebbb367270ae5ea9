#!/bin/bash
# slurm_submit.sh SIF BIDS_DIR OUTPUT_DIR [OPTION...] : every participant as a task of an array, then the group level.
#   slurm_submit.sh bids_regions.sif fitlins regions --threshold 97% 3.0
# Further arguments for sbatch, such as an account, go into SBATCH_ARGUMENTS.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
SIF=$(realpath "$1") BIDS_DIR=$(realpath "$2")
mkdir -p "$3/logs/slurm"
OUTPUT_DIR=$(realpath "$3")
shift 3
LABELS=$OUTPUT_DIR/logs/slurm/labels.txt OPTIONS=$OUTPUT_DIR/logs/slurm/options.txt
find "$BIDS_DIR" -maxdepth 2 -name 'sub-*' -type d -printf '%f\n' | sed 's/^sub-//' | sort -u >"$LABELS"
[ "$#" = 0 ] && : >"$OPTIONS" || printf '%s\n' "$@" >"$OPTIONS"
export SIF BIDS_DIR OUTPUT_DIR LABELS OPTIONS
read -ra extra <<<"${SBATCH_ARGUMENTS:-}"

array=$(sbatch --parsable "${extra[@]}" --array="1-$(wc -l <"$LABELS")" \
  --output="$OUTPUT_DIR/logs/slurm/%A_%a.txt" --open-mode=append "$here/slurm_participants.sh")
# afterany, not afterok: one failed participant must not keep the others from their group
group=$(sbatch --parsable "${extra[@]}" --dependency="afterany:$array" \
  --output="$OUTPUT_DIR/logs/slurm/%j_group.txt" --open-mode=append "$here/slurm_group.sh")
echo "$array $group"
