#!/bin/bash
# One participant per array task. Submit both jobs by slurm_submit.sh, which says how many tasks there are.
#SBATCH --job-name=regions
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=00:30:00
#SBATCH --requeue
#SBATCH --signal=B:USR1@60
# The image, the dataset, the output folder, the options and the list of participants come from slurm_submit.sh:
#   SIF, BIDS_DIR, OUTPUT_DIR, LABELS (a file, one label per line), OPTIONS (a file, one argument per line)
set -uo pipefail
label=$(sed -n "${SLURM_ARRAY_TASK_ID}p" "$LABELS")
# shellcheck disable=SC2153 # from slurm_submit.sh
mapfile -t options <"$OPTIONS"

# In the background, so that this shell hears USR1 (a minute before the time limit) and TERM (scancel) and hands them on
# as TERM: the app then ends within seconds, and every file it leaves is whole.
apptainer -q run --containall --cleanenv --no-home --pwd /tmp \
  --bind "$BIDS_DIR:/data:ro" --bind "$OUTPUT_DIR:/out" \
  "$SIF" /data /out participant --participant-label "$label" --nprocs "$SLURM_CPUS_PER_TASK" "${options[@]}" &
app=$!
late='' cancelled=''
trap 'late=yes; kill -TERM "$app"' USR1
trap 'cancelled=yes; kill -TERM "$app"' TERM
wait "$app"
code=$?
if [ -n "$late$cancelled" ]; then
  wait "$app"
  code=$?
fi

# Cut short by the time limit: queued again, twice at most. The rerun does what is missing and nothing else.
if [ -n "$late" ] && [ "$code" = 143 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 2 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
