#!/bin/sh
# `espalier farm init`, `status` and `drop`: the roles and their rights, what is shown and advised, and what is refused.
. "$top_srcdir/tests/tap.sh"

"$espalier" farm status "$work" 2>&1 | grep -q 'built without libpq' && { echo "1..0 # SKIP built without libpq"; exit 0; }
server="sh $top_srcdir/tests/farm/server.sh"
$server have 2>/dev/null || { echo "1..0 # SKIP PostgreSQL is not installed"; exit 0; }
plan 55
base=$($server make) || exit 99
trap '$server remove "$base"; rm -rf "$work"' EXIT
url=$($server url "$base")
sql() { # STATEMENT [ROLE]
    $server sql "$base" "$@"
}
# denied NAME ROLE STATEMENT: the role lacks the right
denied() {
    sql "$3" "$2" >out 2>err
    [ $? != 0 ] && grep -qE 'permission denied|must be owner' err
    report $? "$1"
    grep -qE 'permission denied|must be owner' err || sed 's/^/# /' err
}

says "no server" 1 "socket $base.*is the server running" "$espalier" farm status "$url"
$server start "$base"
says "no address" 1 "is no address of a database .*name the folder of .espalier farm serve., or write postgresql://" "$espalier" farm init nonsense
says "a folder that is no farm's" 1 "is no folder of a farm; .espalier farm serve $work. makes one" "$espalier" farm init "$work"
says "no database" 1 "there is no such database" "$espalier" farm init "$($server url "$base" espalier none)"
says "no farm in it" 1 "has no farm; espalier farm init 'postgresql" "$espalier" farm status "$url"
says "nothing to remove" 1 "has no farm" "$espalier" farm drop "$url"

# --- init, and rights ---
sql "CREATE ROLE plain LOGIN"
sql "CREATE DATABASE plain OWNER plain"
ok "a user who may not make roles makes a farm" "$espalier" farm init "$($server url "$base" plain plain)"
prints "and is told what an administrator can do" 'CREATE ROLE espalier_engine; CREATE ROLE espalier_worker'
ok "init" "$espalier" farm init "$url"
prints "says what comes next" "a worker +espalier worker 'postgresql://"
ok "init again" "$espalier" farm init "$url"
prints "renews the rights" 'has a farm already; its rights are renewed'
ok "now the other farm has its rights too" "$espalier" farm init "$($server url "$base" plain plain)"
sql "ALTER ROLE espalier_worker LOGIN; ALTER ROLE espalier_engine LOGIN"
row="INSERT INTO espalier.search (name, session, host, process, program, options, data, data_hash, instructions, kinds, mark)"
ok "who runs searches may make one" sql "$row VALUES ('a', 'night.esp', 'head', 7, 'p', '', 'mnist', 'h', 'avx2', 'cpu', 12)" \
    espalier_engine
denied "but not change the version" espalier_engine "UPDATE espalier.meta SET version = 2"
denied "nor remove tables" espalier_engine "DROP TABLE espalier.live"
ok "a worker may enrol" sql "INSERT INTO espalier.worker (search, host, process, program, beats, gone, in_order, refused)
    VALUES (1, 'node1', 1, 'p', 3, false, false, NULL), (1, 'node2', 2, 'p', 0, true, false, 'it lacks avx2')" espalier_worker
ok "with trainers" sql "INSERT INTO espalier.lane (search, worker, number, device, name, speed_class, gpu)
    SELECT 1, 1, n, 'cpu:' || n, 'core ' || n, 'Old Processor', false FROM generate_series(0, 1) n" espalier_worker
denied "but not make a search" espalier_worker "$row VALUES ('b', 'b', 'b', 1, 'p', '', 'd', 'h', 'i', 'cpu', 0)"
denied "nor a network" espalier_worker "INSERT INTO espalier.trial (search, fence, node, worker, lane, request) VALUES (1, 1, 1, 1, 1, '')"
denied "nor take one away" espalier_worker "DELETE FROM espalier.trial"
denied "nor end a search" espalier_worker "UPDATE espalier.search SET closed = true"
denied "nor remove the farm" espalier_worker "DROP SCHEMA espalier CASCADE"
sql "CREATE ROLE stranger LOGIN"
says "a user without rights is told so" 1 "this user lacks the right" "$espalier" farm status "$($server url "$base" stranger)"

# A search and a worker, each with no more than its role.
black_and_white set
plain_url() { # ROLE
    $server url "$base" "$1" plain
}
"$espalier" worker "$(plain_url espalier_worker)" --devices cpu:1 --idle 60 >worker.log 2>&1 &
worker=$!
ok "a search with the rights of its role" "$espalier" run $tournament --data idx:set --validation 112 --epochs 1 --start-epochs 1 \
    --limit-flops 0 --headless --networks 3 --out small --farm "$(plain_url espalier_engine)"
prints "and of a worker" '^n3 has [0-9.]+ % after' worker.log
ok "its state" "$espalier" farm status "$(plain_url espalier_worker)"
prints "when it has ended" '^small.esp: ended, process [0-9]+ on .*, 3 results$'
kill "$worker"
wait "$worker"
report $? "the worker ends when it is asked to"

# --- status ---
sql "INSERT INTO espalier.trial (search, fence, node, worker, lane, state, request) VALUES (1, 1, 1, 1, 1, 'running', ''),
    (1, 2, 2, 1, 2, 'offered', '')" espalier_engine
ok "status" "$espalier" farm status "$url"
prints "the server" 'socket .*: PostgreSQL [0-9.]+ .* [0-9] of 60 connections$'
prints "a search" '^night.esp: not running, process 7 on head, mnist, 12 results$'
prints "its trainers and networks" '^  2 lanes, 1 training, 1 offered, 0 reported, 0 images/s$'
prints "its workers by host" '^  node1 +0 +2 +1 +0  1 silent  Old Processor$'
prints "nobody runs it" "^night.esp: nobody runs it; on head: espalier resume night.esp --farm 'postgres"
prints "a silent worker" '^night.esp: 1 worker on node1: silent'
prints "a worker that was refused" "^night.esp: a worker on node2 can't train for it: it lacks avx2$"
mkdir bin
printf '#!/bin/sh\necho "job 5_3 (espalier-worker): Resources"\n' >bin/squeue
chmod +x bin/squeue

# A search that runs holds a lock, and a worker that trains counts up.
class=$(sed -n 's/.*ADVISORY_CLASS = \([0-9a-fx]*\).*/\1/p' "$top_srcdir"/src/farm/*.h)
sql "SELECT pg_advisory_lock($((class)), 1); SELECT pg_sleep(60)" espalier_engine >/dev/null 2>&1 &
sql "DO 'BEGIN FOR i IN 1..600 LOOP UPDATE espalier.worker SET beats = beats + 1 WHERE id = 1; COMMIT;
    PERFORM pg_sleep(0.1); END LOOP; END'" espalier_worker >/dev/null 2>&1 &
sql "INSERT INTO espalier.live VALUES (1, 1, 1, '{\"step.images_per_second\": 1234.5}', NULL)" espalier_worker
until sql "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'" | grep -q 1; do sleep 0.05; done
until sql "SELECT 1 FROM espalier.worker WHERE beats > 4" | grep -q 1; do sleep 0.05; done
PATH=$work/bin:$PATH ok "status of a search that runs" "$espalier" farm status "$url"
prints "says that" '^night.esp: running, process 7'
prints "with the images per second" '^  node1 +1 +2 +1 +1.23k  Old Processor$'
prints "and jobs that Slurm holds" '^Slurm holds job 5_3 \(espalier-worker\): Resources$'
! grep -q 'silent\|nobody runs' "$work/out"
report $? "and nothing of silence"
ok "as JSON" "$espalier" farm status "$url" --json
prints "the same" '"images_per_second": 1234.5'

# Many hosts that are alike are one line.
sql "INSERT INTO espalier.worker (search, host, process, program, beats) SELECT 1, 'r' || n, 9, 'p', 0 FROM generate_series(10, 39) n;
    INSERT INTO espalier.lane (search, worker, number, device, name, speed_class, gpu)
    SELECT 1, id, 0, 'cpu:0', 'core', 'New Processor', false FROM espalier.worker WHERE host LIKE 'r%';
    UPDATE espalier.search SET hourly = 1234"
sql "DO 'BEGIN FOR i IN 1..100 LOOP UPDATE espalier.worker SET beats = beats + 1; COMMIT;
    PERFORM pg_sleep(0.1); END LOOP; END'" >/dev/null 2>&1 &
ok "status of many hosts" "$espalier" farm status "$url"
prints "folds them" '^  r10\.\.r39 \(30\) {13}30 {6}30 +0 +0  New Processor$'
prints "not those of which more is to be said" '^  node1 +1 +2 +1 +1.23k  Old Processor$'
prints "the results of an hour" '12 results, 1.23k an hour$'
sql "DELETE FROM espalier.worker WHERE host LIKE 'r%'"

# --- drop ---
says "a search that runs is not removed" 1 "night.esp \(process 7 on head\) is running; stop it first" "$espalier" farm drop "$url" night.esp
says "nor its farm" 1 "night.esp .* is running" "$espalier" farm drop "$url"
says "a search that is none" 1 "has no search x; espalier farm status lists them" "$espalier" farm drop "$url" x
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename LIKE 'espalier_%'" >/dev/null
wait
ok "drop a search" "$espalier" farm drop "$url" night.esp
[ "$(sql "SELECT (SELECT count(*) FROM espalier.search) + (SELECT count(*) FROM espalier.worker)")" = 0 ]
report $? "nothing of it is left"
sql "UPDATE espalier.meta SET version = version + 1"
says "a farm of a newer program" 1 "is newer than this program" "$espalier" farm status "$url"
ok "drop the farm" "$espalier" farm drop "$url"
