#!/bin/bash
# The group level, once every array task has ended, well or not: its report names who is missing or failed.
#SBATCH --job-name=regions-group
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=01:00:00
#SBATCH --requeue
set -euo pipefail
# shellcheck disable=SC2153 # from slurm_submit.sh
mapfile -t options <"$OPTIONS"
exec apptainer -q run --containall --cleanenv --no-home --pwd /tmp \
  --bind "$BIDS_DIR:/data:ro" --bind "$OUTPUT_DIR:/out" \
  "$SIF" /data /out group --nprocs "$SLURM_CPUS_PER_TASK" "${options[@]}"
