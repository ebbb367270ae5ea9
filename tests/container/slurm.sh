#!/bin/sh
# slurm.sh up DIR | down DIR : a Slurm of one node, on the loopback alone, all its files in DIR. `up` prints the path of
# its slurm.conf; `down` ends the three daemons by the process ids that they left in DIR.
set -eu
here=$(dirname "$(realpath "$0")")
verb=$1
mkdir -p "$2"
place=$(realpath "$2")

stop_daemons() {
  if [ -e "$place/slurmctld.pid" ]; then # no job outlives its Slurm
    export SLURM_CONF="$place/slurm.conf"
    squeue --noheader --format %A 2>/dev/null | sort -u | xargs --no-run-if-empty scancel 2>/dev/null || true
    tries=0
    while [ -n "$(squeue --noheader 2>/dev/null)" ] && [ "$tries" -lt 100 ]; do
      sleep 0.2
      tries=$((tries + 1))
    done
  fi
  for daemon in slurmd slurmctld munged; do
    pid=$(cat "$place/$daemon.pid" 2>/dev/null) || continue
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$daemon" ] || continue
    kill "$pid" 2>/dev/null || continue # it went of itself
    tries=0
    while [ -d "/proc/$pid" ] && [ "$tries" -lt 100 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
  done
}

start_daemons() {
  "$here/packages.sh" slurmctld slurmd slurm-client munge
  stop_daemons # of a run before
  rm -rf "$place/state" "$place/spool" "$place/munge" "$place"/*.pid "$place"/*.log
  mkdir -p "$place/state" "$place/spool" "$place/munge"
  chmod 755 "$place" "$place/munge"
  node=$(hostname -s)
  # below those that the kernel gives to whoever calls somebody: nobody else takes one before the daemons do
  ports=$(python3 -c '
import random, socket
free = []
while len(free) < 2:
    port = random.randrange(20000, 32000)
    try:
        with socket.socket() as tried: tried.bind(("127.0.0.1", port))
    except OSError: continue
    free = [*{*free, port}]
print(*free)')
  head --bytes 1024 /dev/urandom >"$place/munge/key"
  chmod 400 "$place/munge/key"
  cat >"$place/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=${ports% *}
SlurmdPort=${ports#* }
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$place/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=0,bf_interval=1,batch_sched_delay=0
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
SlurmdParameters=config_overrides
StateSaveLocation=$place/state
SlurmdSpoolDir=$place/spool
SlurmctldPidFile=$place/slurmctld.pid
SlurmdPidFile=$place/slurmd.pid
SlurmctldLogFile=$place/slurmctld.log
SlurmdLogFile=$place/slurmd.log
KillWait=10
MinJobAge=3600
NodeName=$node NodeAddr=127.0.0.1 CPUs=3 RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
END
  munged --force --key-file="$place/munge/key" --socket="$place/munge/socket" --pid-file="$place/munged.pid" \
    --log-file="$place/munge/log" --seed-file="$place/munge/seed"
  export SLURM_CONF="$place/slurm.conf"
  slurmctld -f "$SLURM_CONF" >"$place/slurmctld.out" 2>&1
  slurmd -f "$SLURM_CONF" -N "$node" >"$place/slurmd.out" 2>&1
  tries=0
  until [ "$(sinfo --noheader --format %T 2>/dev/null)" = idle ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 900 ]; then
      for each in "$place"/slurm*.log; do tail --lines 20 "$each" >&2; done
      return 1
    fi
    sleep 0.2
  done
  echo "$SLURM_CONF"
}

case $verb in
  up) start_daemons ;;
  down) stop_daemons ;;
  *) exit 2 ;;
esac
