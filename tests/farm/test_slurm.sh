#!/bin/sh
# Workers that Slurm starts: two nodes of one core on this machine, without root; a job that is preempted and begun again, a
# worker that is killed, and a search that has all its networks in the end. Takes minutes: only with ESPALIER_TEST_LONG=1.
. "$top_srcdir/tests/tap.sh"

none() {
    echo "1..0 # SKIP $1"
    exit 0
}
[ -n "${ESPALIER_TEST_LONG-}" ] || none "takes minutes; ESPALIER_TEST_LONG=1 runs it"
PATH=$PATH:/usr/sbin
for program in slurmctld slurmd munged sbatch; do
    command -v $program >/dev/null || none "$program is not installed (slurm-wlm)"
done
[ -d "$fashion" ] || none "no Fashion-MNIST"
server="sh $top_srcdir/tests/farm/server.sh"
$server have 2>/dev/null || none "PostgreSQL is not installed"
"$espalier" farm status "$work" 2>&1 | grep -q 'built without libpq' && none "built without libpq"
plan 13

base=$($server make) && $server start "$base" || exit 99
home=$(mktemp -d /tmp/espalier-slurm.XXXXXX)
owner=$(id -un) user=
if [ "$(id -u)" = 0 ]; then
    owner=$(id -un postgres 2>/dev/null || echo nobody)
    user="setpriv --reuid=$owner --regid=$(id -g "$owner") --clear-groups"
fi
cp "$espalier" "$home/espalier"
chmod 755 "$home/espalier"
dd if=/dev/urandom of="$home/key" bs=1024 count=1 2>/dev/null
chmod 400 "$home/key"
mkdir "$home/state" "$home/spool-node1" "$home/spool-node2" "$home/munge"
[ -z "$user" ] || chown -R "$owner" "$home"
chmod 711 "$home"
host=$(hostname -s)
cat >"$home/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$owner
SlurmdUser=$owner
AuthType=auth/munge
AuthInfo=socket=$home/munge.socket
SlurmctldPort=16817
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd-%n.pid
SlurmdSpoolDir=$home/spool-%n
StateSaveLocation=$home/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17001 CPUs=1 State=UNKNOWN
NodeName=node2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17002 CPUs=1 State=UNKNOWN
PartitionName=spare Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=node1,node2 MaxTime=INFINITE State=UP PriorityTier=2
END
as_user() {
    (cd "$home" && HOME=$home SLURM_CONF=$home/slurm.conf exec $user "$@")
}
wait_until() { # COMMAND…: at most two minutes
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || return 1
        sleep 0.2
    done
}
no_job() { [ -z "$(as_user squeue -h 2>&1)" ]; }
daemons= search=
finish() {
    as_user scancel -u "$owner" 2>/dev/null
    wait_until no_job
    for process in $search $daemons $(cat "$home/munge/pid" 2>/dev/null); do kill "$process" 2>/dev/null; done
    wait
    $server remove "$base"
    rm -rf "$work" "$home"
}
trap finish EXIT
trap 'exit 99' TERM INT
as_user munged --key-file="$home/key" --socket="$home/munge.socket" --log-file="$home/munge/log" --pid-file="$home/munge/pid" \
    --seed-file="$home/munge/seed" --force 2>/dev/null
# daemon COMMAND…: until this script ends
daemon() {
    (cd "$home" && HOME=$home SLURM_CONF=$home/slurm.conf exec $user "$@" >"$work/$1$3.log" 2>&1) &
    daemons="$! $daemons"
}
daemon slurmctld -i -D
daemon slurmd -N node1 -D
daemon slurmd -N node2 -D
idle() { [ "$(as_user sinfo -h -p spare -t idle -o %D)" = 2 ]; }
wait_until idle
report $? "Slurm has two nodes"

url=$($server url "$base")
"$espalier" farm init "$url" >/dev/null
cat >"$home/worker.sh" <<END
#!/bin/sh
#SBATCH --job-name=espalier-worker
#SBATCH --array=1-3
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=$home/worker-%a.log
#SBATCH --signal=B:TERM@120
exec $home/espalier worker $url --devices cpu:1 --idle 4m
END
printf '#!/bin/sh\nsleep 5\n' >"$home/urgent.sh"
"$espalier" run $tournament --data "idx:$fashion" --validation 500 --train-subset 20000 --epochs 1 --start-epochs 1 --networks 20 \
    --limit-flops 1000000 --headless --farm "$url" --out night >"$work/run.log" 2>&1 &
search=$!
ok "an array of three workers" as_user sbatch worker.sh
logged() { "$espalier" show night --events 2>/dev/null | grep -q -e "$1"; }
status() { as_user "$home/espalier" farm status "$url" >"$work/status"; }
shows() { status && grep -qE -e "$1" "$work/status"; }
wait_until shows '^  [^ ]+ +2 +2 +[12] '
report $? "two of them train"
prints "and Slurm holds the third" '^Slurm holds job [0-9]+_3 \(espalier-worker\): ' "$work/status"

# --- preempted ---
first=$(as_user squeue -h -w node1 -o %K)
as_user sbatch -p urgent -w node1 urgent.sh >/dev/null
wait_until grep -q 'is handed back' "$home/worker-$first.log"
report $? "a worker that is preempted hands its network back"
wait_until grep -q 'ends: it was asked to' "$home/worker-$first.log"
report $? "and ends in order"
wait_until shows "Slurm holds job [0-9]+_$first "
report $? "it is requeued"

# --- killed ---
killed=$(pgrep -u "$owner" -f "^$home/espalier worker" | tail -n 1)
kill -9 "$killed"
wait_until shows '1 silent'
report $? "a worker that is killed is silent"
wait_until logged "no sign of life of process $killed"
report $? "then the search gives it up"

wait "$search"
report $? "the search ends in order"
[ "$("$espalier" show night --events | grep -c '"k":"result"')" = 20 ]
report $? "each of its networks has one result"
status
prints "the farm knows" '^night.esp: ended, .* 20 results$' "$work/status"
[ "$($server sql "$base" "SELECT (SELECT count(*) FROM espalier.trial) + (SELECT count(*) FROM espalier.blob)")" = 0 ]
report $? "and has nothing left of it"
