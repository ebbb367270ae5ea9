# Read by run.sh: what is done with the image. `here`, `work`, `image`, `repository` and `fail` come from there.
# shellcheck shell=sh disable=SC2154

options="--threshold 97% 3.0 p=0.001 --min-region-size 800"

# A copy of the demo dataset with so many maps of one participant that no machine is through them before a signal comes:
# what is stopped must still be at work.
lasting() {
  rm -rf "$1"
  cp -r "$work/demo/dataset" "$1"
  first=$(find "$1/sub-01" -name '*_stat-z_statmap.nii.gz' | sort | head -n 1)
  for copy in $(seq 100 399); do
    ln "$first" "${first%_contrast-*}_contrast-copy${copy}_stat-z_statmap.nii.gz"
  done
}

# All of the app's work a map: ten entries of local regions.
long_options="--extract-type local_regions --threshold 1.5 2.0 2.5 3.0 90% 92% 94% 96% 97% p=0.01"

owned_by_caller() {
  [ -z "$(find "$1" ! -uid 1234)" ] || fail "files in $1 are not the caller's"
  [ -z "$(find "$1" -name '*.tmp')" ] || fail "temporary files are left in $1"
}

fresh() {
  rm -rf "$1"
  mkdir -p "$1"
  chown 1234:1234 "$1"
}

check_podman() {
  fresh "$work/in-podman"
  rm -rf "$work/in-plain"
  mkdir "$work/in-plain"
  for level in "participant --participant-label 01" "participant --participant-label 02" group; do
    # shellcheck disable=SC2086 # levels and options are several words
    "$here/strict.sh" "$image" "$work/demo/dataset" "$work/in-podman" /data /out $level $options
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$here/as_mounted.sh" "$work/demo/dataset" "$work/in-plain" \
      "$work/plain/bin/bids_regions" /data /out $level $options
  done
  owned_by_caller "$work/in-podman"
  [ -s "$work/in-podman/group.html" ] || fail "there is no group page"
  python3 "$here/same.py" "$work/in-plain" "$work/in-podman" || fail "the container writes other bytes"
  grep -q '"Type": "docker"' "$work/in-podman/dataset_description.json" || fail "the container is not recorded"
  grep -q '"Tag"' "$work/in-podman/dataset_description.json" || fail "the tag is not recorded"
  # the cortex: label files of both hemispheres, and the group by vertex
  fresh "$work/in-podman-surfaces"
  rm -rf "$work/in-plain-surfaces"
  mkdir "$work/in-plain-surfaces"
  "$here/strict.sh" "$image" "$work/demo/surfaces" "$work/in-podman-surfaces" /data /out participant group \
    --threshold 97% 3.0
  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$here/as_mounted.sh" "$work/demo/surfaces" "$work/in-plain-surfaces" \
    "$work/plain/bin/bids_regions" /data /out participant group --threshold 97% 3.0
  owned_by_caller "$work/in-podman-surfaces"
  holds_surfaces "$work/in-podman-surfaces"
  python3 "$here/same.py" "$work/in-plain-surfaces" "$work/in-podman-surfaces" ||
    fail "the container writes other bytes of surfaces"
}

holds_surfaces() {
  for hemisphere in L R; do
    [ "$(find "$1/sub-01" -name "*_hemi-${hemisphere}_*_dseg.label.gii" | wc -l)" = 2 ] ||
      fail "label files of hemisphere $hemisphere are missing in $1"
    [ -n "$(find "$1" -path '*/tpl-*' -name "*_hemi-${hemisphere}_*PosSurfacePrevalence_probseg.shape.gii")" ] ||
      fail "the prevalence on hemisphere $hemisphere is missing in $1"
  done
}

check_behaviour() {
  run() { "$here/strict.sh" "$image" "$work/demo/dataset" "$work/in-podman" "$@"; }
  run | grep -q '^usage: bids_regions' || fail "no help without arguments"
  [ "bids_regions $(PODMAN_OPTIONS='--entrypoint cat' run /version)" = "$(run --version)" ] || fail "/version"
  code=0
  run /data /out participant --participant-label 77 || code=$?
  [ "$code" = 18 ] || fail "exit code $code, not 18"
  code=0
  run /data /data/out participant || code=$?
  [ "$code" = 73 ] || fail "exit code $code, not 73"
  # the PYTHONPATH of a host reaches nothing; the parts that load late are there
  # shellcheck disable=SC2016 # for the shell inside
  PODMAN_OPTIONS='--env PYTHONPATH=/data --entrypoint /opt/bids_regions/bin/python' run -I -c '
import bids, distributed, jinja2, matplotlib.colors, nibabel, PIL.Image, scipy.ndimage, scipy.sparse.linalg, scipy.stats, sys
assert "/data" not in sys.path' || fail "a library is missing"
  # the second command: a folder of FEAT becomes a dataset, of copies where no folder but / holds both ends
  mkdir -p "$work/fsl/motor.feat/stats"
  cp "$(find "$work/demo/dataset" -name '*_stat-z_statmap.nii.gz' | sort | head -n 1)" \
    "$work/fsl/motor.feat/stats/zstat1.nii.gz"
  fresh "$work/in-import"
  PODMAN_OPTIONS='--entrypoint /opt/bids_regions/bin/bids_regions-import' \
    "$here/strict.sh" "$image" "$work/fsl" "$work/in-import" /data/motor.feat /out/maps --participant-label 01 ||
    fail "a folder of FEAT is not imported"
  [ -s "$work/in-import/maps/sub-01/func/sub-01_space-func_contrast-1_stat-z_statmap.nii.gz" ] ||
    fail "the imported map is not there"
  # TERM to process 1, with nothing in between
  fresh "$work/stopped"
  lasting "$work/lasting"
  # shellcheck disable=SC2086 # several words
  PODMAN_OPTIONS="--name bids_regions_stop --cidfile $work/stopped.cid" \
    "$here/strict.sh" "$image" "$work/lasting" "$work/stopped" /data /out participant --nprocs 1 $long_options &
  app=$!
  wait_until "nothing is written" [ -e "$work/stopped/sub-01" ]
  podman kill --signal TERM bids_regions_stop >/dev/null
  code=0
  wait "$app" || code=$?
  rm -f "$work/stopped.cid"
  [ "$code" = 143 ] || fail "after TERM the exit code is $code, not 143"
  owned_by_caller "$work/stopped"
}

# Whatever is not needed may be missing: a locale that knows UTF-8, standard streams, a /dev/shm to write to.
check_surroundings() {
  for missing in "-e LC_ALL=POSIX -e PYTHONUTF8=0 -e PYTHONCOERCECLOCALE=0" "--mount type=tmpfs,destination=/dev/shm,ro"; do
    fresh "$work/in-little"
    for level in "participant --participant-label 01" "participant --participant-label 02" group; do
      # shellcheck disable=SC2086 # several words each
      PODMAN_OPTIONS="$missing" "$here/strict.sh" "$image" "$work/demo/dataset" "$work/in-little" \
        /data /out $level --nprocs 2 $options
    done
    python3 "$here/same.py" "$work/in-plain" "$work/in-little" || fail "with $missing the container writes other bytes"
  done
  fresh "$work/in-little"
  for level in "participant --participant-label 01" "participant --participant-label 02" group; do
    PODMAN_OPTIONS="--entrypoint sh" "$here/strict.sh" "$image" "$work/demo/dataset" "$work/in-little" -c \
      "exec /opt/bids_regions/bin/bids_regions /data /out $level $options <&- >&- 2>&-"
  done
  python3 "$here/same.py" "$work/in-plain" "$work/in-little" || fail "with closed streams the container writes other bytes"
}

# The commands of README.md as they stand there, but for the two paths that a reader fills in: `readme_line WORD...`
# prints the one that begins so, with its continuation lines.
readme_line() {
  line=$(awk -v start="$*" 'index($0, start) == 1 { on = 1 } on { print; if (!/\\$/) exit }' "$repository/README.md" |
    sed "s|/path/to/data|$work/demo/dataset|; s|/path/to/out|$work/in-$1|")
  [ -n "$line" ] || fail "README.md has no line: $*"
  echo "$line"
}

# README's first line of Docker builds the image, which was done above by buildah from the same Dockerfile.
check_docker() {
  DOCKER_HOST=$("$here/docker.sh" up "$work/docker")
  export DOCKER_HOST
  case $(readme_line docker build) in *" $image "*) ;; *) fail "README.md builds another image than $image" ;; esac
  buildah push --quiet "$image" "docker-archive:$work/image.tar:$image"
  /usr/bin/docker load --quiet --input "$work/image.tar"
  rm "$work/image.tar"
  fresh "$work/in-docker"
  AS_USER_ENV="DOCKER_HOST=$DOCKER_HOST" "$here/as_user.sh" sh -euc "$(readme_line docker run)"
  owned_by_caller "$work/in-docker"
  rm -rf "$work/in-plain-too"
  mkdir "$work/in-plain-too"
  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$here/as_mounted.sh" "$work/demo/dataset" "$work/in-plain-too" \
    "$work/plain/bin/bids_regions" /data /out participant --threshold 97% 3.0 -q
  python3 "$here/same.py" "$work/in-plain-too" "$work/in-docker" || fail "Docker writes other bytes"
  fresh "$work/stopped"
  # shellcheck disable=SC2086 # several words
  /usr/bin/docker run --detach --name stopped --network none --user 1234:1234 \
    --volume "$work/lasting:/data:ro" --volume "$work/stopped:/out" "$image" \
    /data /out participant --nprocs 1 $long_options >/dev/null
  wait_until "nothing is written" [ -e "$work/stopped/sub-01" ]
  # it kills after a while, and the code is then another; in how many seconds the app stops is tested elsewhere
  /usr/bin/docker stop --time 120 stopped >/dev/null
  [ "$(/usr/bin/docker wait stopped)" = 143 ] || fail "after docker stop the exit code is not 143"
  owned_by_caller "$work/stopped"
}

check_apptainer() {
  apptainer=$("$here/apptainer.sh")
  (
    cd "$work" || exit
    PATH=$(dirname "$apptainer"):$PATH APPTAINER_CACHEDIR=$work/cache APPTAINER_TMPDIR=$work \
      sh -euc "$(readme_line apptainer build)" 2>&1 | tail -n 1
    chmod 644 bids_regions.sif
    fresh "$work/in-apptainer"
    "$here/as_user.sh" sh -euc "$(readme_line apptainer run)"
  )
  "$here/docker.sh" down "$work/docker"
  owned_by_caller "$work/in-apptainer"
  [ -s "$work/in-apptainer/sub-01.html" ] || fail "README's line of Apptainer made no page"
  rm -rf "$work/a dataset"
  cp -r "$work/demo/dataset" "$work/a dataset"
  fresh "$work/its regions"
  for level in "participant --participant-label 01" "participant --participant-label 02" group; do
    # shellcheck disable=SC2086
    "$here/as_user.sh" apptainer -q run --containall --cleanenv --no-home --pwd /tmp --net --network none \
      --bind "$work/a dataset:/data:ro" --bind "$work/its regions:/out" "$work/bids_regions.sif" \
      /data /out $level $options
  done
  owned_by_caller "$work/its regions"
  python3 "$here/same.py" "$work/in-plain" "$work/its regions" || fail "the SIF writes other bytes"
  grep -q '"Type": "singularity"' "$work/its regions/dataset_description.json" || fail "Apptainer is not recorded"
  # folders with spaces inside the container too, and a host's PYTHONPATH that is not cleaned away
  fresh "$work/other regions"
  AS_USER_ENV="PYTHONPATH=$repository/tests" "$here/as_user.sh" apptainer -q run --contain --no-home --pwd /tmp \
    --bind "$work/a dataset:/my data:ro" --bind "$work/other regions:/my regions" "$work/bids_regions.sif" \
    "/my data" "/my regions" participant --participant-label 01 --threshold 97% p=0.001
  [ "$(find "$work/other regions" -name '*_desc-pct97_dseg.json' -o -name '*_desc-p0p001_dseg.json' | wc -l)" = 2 ] ||
    fail "the arguments 97% and p=0.001 did not arrive"
}

check_slurm() {
  SLURM_CONF=$("$here/slurm.sh" up "$work/slurm")
  export SLURM_CONF
  export AS_USER_ENV="SLURM_CONF=$SLURM_CONF"
  # a copy where the plain user can read it, as on a cluster
  rm -rf "$work/examples"
  cp -r "$repository/docs/examples" "$work/examples"
  chmod -R a+rX "$work/examples"
  find "$work/a dataset/sub-03" -name '*_statmap.nii.gz' -exec truncate --size 0 {} +
  fresh "$work/slurm regions"
  # shellcheck disable=SC2086
  jobs=$("$here/as_user.sh" "$work/examples/slurm_submit.sh" "$work/bids_regions.sif" "$work/a dataset" \
    "$work/slurm regions" $options)
  wait_for_jobs "${jobs% *}" "${jobs#* }"
  states=$(job_states "${jobs% *}" | sort | uniq -c | tr -s ' \n' ' ')
  [ "$states" = " 5 COMPLETED 1 FAILED " ] || fail "the array ended as$states"
  [ "$(job_states "${jobs#* }")" = COMPLETED ] || fail "the group job: $(job_states "${jobs#* }")"
  owned_by_caller "$work/slurm regions"
  grep -q 'sub-03' "$work/slurm regions/group.html" || fail "the group page does not name the failed participant"
  [ -s "$work/slurm regions/sub-06.html" ] || fail "a participant is missing"
  fresh "$work/slurm surfaces"
  jobs=$("$here/as_user.sh" "$work/examples/slurm_submit.sh" "$work/bids_regions.sif" "$work/demo/surfaces" \
    "$work/slurm surfaces" --threshold 97% 3.0)
  wait_for_jobs "${jobs% *}" "${jobs#* }"
  holds_surfaces "$work/slurm surfaces"
  check_requeue
}

# A signal as Slurm sends it ahead of the time limit: the app ends whole, the task is queued again and completes, here
# with the few maps of the demo: the time limit is over once.
check_requeue() {
  fresh "$work/late regions"
  lasting "$work/late maps"
  # shellcheck disable=SC2086 # several words
  jobs=$("$here/as_user.sh" "$work/examples/slurm_submit.sh" "$work/bids_regions.sif" "$work/late maps" \
    "$work/late regions" $long_options)
  array=${jobs% *}
  wait_until "the array did not start" [ -e "$work/late regions/sub-01" ]
  # scancel asks again where the task is quick to go, and then complains that it went: what counts is checked below
  scancel --signal=USR1 --batch "${array}_1" 2>/dev/null || true
  wait_until "no task was stopped" grep -sq 'exit code 143' "$work/late regions/logs/slurm/${array}_1.txt"
  find "$work/late maps" -name '*_contrast-copy*' -delete
  wait_for_jobs "$array" "${jobs#* }"
  [ "$(job_states "$array" | sort -u)" = COMPLETED ] || fail "after the time limit: $(job_states "$array")"
  grep -q 'exit code 143' "$work/late regions/logs/slurm/${array}_1.txt" || fail "no task was stopped"
  owned_by_caller "$work/late regions"
  [ "$(find "$work/late regions" -maxdepth 1 -name 'sub-*.html' | wc -l)" = 6 ] || fail "the requeued task did not complete"
}

job_states() { scontrol show job --oneliner "$1" | sed -n 's/.* JobState=\([A-Z_]*\) .*/\1/p'; }

wait_for_jobs() { wait_until "the jobs $1 and $2 do not end" no_jobs "$1,$2"; }

# A busy controller may not answer: that is no empty list.
no_jobs() { left=$(squeue --noheader --jobs "$1" 2>/dev/null) && [ -z "$left" ]; }

# wait_until MESSAGE COMMAND... : until the command succeeds; half an hour at most, which is a hang on any machine
wait_until() {
  message=$1
  shift
  tries=0
  until "$@"; do
    sleep 0.2
    tries=$((tries + 1))
    [ "$tries" -lt 9000 ] || fail "$message"
  done
}
