/*
 * farm_server.c - finds PostgreSQL's programs, and makes the folder of a private server; see farm_server.h.
 *
 * What PostgreSQL stores is made in data.new and renamed to data when it is whole: roles, passwords and the database
 * are made by a server for one user (`postgres --single`), before any other process can connect.  So a start that was
 * cut short is begun anew by the next one.  The files that say how to connect are written at each start, and the
 * passwords once.
 */
#include "cli/commands/farm_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/commands/farm_server_internal.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

enum { VERSION_MINIMUM = 13, PASSWORD_BYTES = 24, SMALL_FILE = 1 << 16 };

/* Settings that a person may change: they are written once, to data/postgresql.conf.  Each worker has a connection. */
static const char settings[] = "\n# by `espalier farm serve`\n"
                               "max_connections = 500\n"
                               "tcp_keepalives_idle = 30\n"
                               "tcp_keepalives_interval = 10\n"
                               "tcp_keepalives_count = 3\n"
                               "tcp_user_timeout = 60000\n"
                               "idle_in_transaction_session_timeout = 60000\n"
                               "log_line_prefix = '%m [%p] %a '\n";

/* --- PostgreSQL's programs --- */

/* The version of the programs in a folder: 15; 0: it has none. */
static int version_of(const char *programs)
{
    char *postgres = file_join(programs, "postgres"), *initdb = file_join(programs, "initdb");
    const char *const words[] = {postgres, "-V", NULL};
    struct text printed = TEXT_EMPTY;
    int version = 0;
    if (access(initdb, X_OK) || access(postgres, X_OK) || farm_run_program(words, -1, &printed, NULL) ||
        sscanf(text_string(&printed), "postgres (PostgreSQL) %d", &version) != 1)
        version = 0;
    text_done(&printed);
    free(postgres);
    free(initdb);
    return version;
}

/* Keep the folder if its programs suit better than those kept so far. */
static void consider(struct farm_server *server, const char *programs, int wanted)
{
    int version = version_of(programs);
    if (version < VERSION_MINIMUM || version <= server->version || (wanted && version != wanted))
        return;
    free(server->programs);
    server->programs = memory_copy_text(programs);
    server->version = version;
}

static void consider_path(struct farm_server *server, int wanted)
{
    char *path = memory_copy_text(getenv("PATH") ? getenv("PATH") : ""), *rest = path;
    for (char *folder; (folder = strsep(&rest, ":"));)
        if (*folder == '/')
            consider(server, folder, wanted);
    free(path);
}

/* `wanted`: the version that made the store; 0: the newest one. */
static int find_programs(struct farm_server *server, int wanted, struct error *error)
{
    const char *named = getenv("ESPALIER_POSTGRESQL");
    glob_t found = {0};
    if (named) {
        consider(server, named, wanted);
    } else {
        glob("/usr/lib/postgresql/*/bin", 0, NULL, &found); /* Debian's place, and Red Hat's */
        glob("/usr/pgsql-*/bin", GLOB_APPEND, NULL, &found);
        for (size_t i = 0; i < found.gl_pathc; i++)
            consider(server, found.gl_pathv[i], wanted);
        consider_path(server, wanted);
        globfree(&found);
    }
    if (server->programs)
        return 0;
    if (wanted)
        return error_set(error,
                         "%s: was made by PostgreSQL %d, whose programs are not here; install postgresql-%d, or name "
                         "another folder",
                         server->folder, wanted, wanted);
    return error_set(error,
                     "no PostgreSQL of version %d or newer is installed%s%s; on Debian: apt-get install postgresql "
                     "(ESPALIER_POSTGRESQL names the folder of initdb and postgres)",
                     VERSION_MINIMUM, named ? " in ESPALIER_POSTGRESQL=" : "", named ? named : "");
}

/* --- the folder --- */

static bool is_empty(const char *folder)
{
    DIR *directory = opendir(folder);
    int names = 0;
    while (directory && readdir(directory))
        names++;
    if (directory)
        closedir(directory);
    return names <= 2; /* . and .. */
}

/* Is it a folder of this program's, or one that may become it? */
static bool may_have(const char *folder)
{
    char *store = file_join(folder, "data"), *running = file_join(folder, "running");
    bool may = file_exists(store) || file_exists(running) || is_empty(folder);
    free(store);
    free(running);
    return may;
}

static int open_folder(struct farm_server *server, const char *folder, struct error *error)
{
    struct sockaddr_un address;
    struct stat status;
    if (file_make_folder(folder, error))
        return -1;
    server->folder = realpath(folder, NULL);
    if (!server->folder || stat(server->folder, &status))
        return error_set(error, "%s: can't be opened (%s); check the permissions", folder, strerror(errno));
    if (status.st_uid != geteuid())
        return error_set(error, "%s: belongs to another user; name a folder of your own", folder);
    if (strlen(server->folder) + strlen("/.s.PGSQL.65535.lock") >= sizeof address.sun_path)
        return error_set(error, "%s: this path is too long for a socket; name a folder with a shorter one",
                         server->folder);
    if (server->folder[strcspn(server->folder, "\"'\\\n")])
        return error_set(error,
                         "%s: PostgreSQL can't have a socket in a folder with a quote, a backslash or a new line "
                         "in its path; name another folder",
                         server->folder);
    if (!may_have(server->folder))
        return error_set(error, "%s: has other files already; name a new or an empty folder", folder);
    if (chmod(server->folder, 0700))
        return error_set(error, "%s: can't be closed to others (%s); name a folder on another file system", folder,
                         strerror(errno));
    return 0;
}

/* Whose the folder is, as `running` says; 0 when it is this process's now. */
static int take_folder(const struct farm_server *server, int lock, struct error *error)
{
    char here[256] = "", where[256] = "", note[300] = "";
    long process = 0;
    gethostname(here, sizeof here - 1);
    bool taken = flock(lock, LOCK_EX | LOCK_NB);
    if (pread(lock, note, sizeof note - 1, 0) > 0)
        sscanf(note, "%ld %255s", &process, where);
    if (taken)
        return error_set(error, "%s: its server runs already (process %ld on %s); `espalier farm status %s` shows it",
                         server->folder, process, where, server->folder);
    if (*where && strcmp(where, here))
        return error_set(error,
                         "%s: its server runs on %s, or was killed there; stop it there, or remove %s/running when you "
                         "know that it has ended",
                         server->folder, where, server->folder);
    int length = snprintf(note, sizeof note, "%ld %s\n", (long)getpid(), here);
    if (ftruncate(lock, 0) || pwrite(lock, note, (size_t)length, 0) != length)
        return error_set(error, "%s/running: can't be written (%s); check the free space", server->folder,
                         strerror(errno));
    return 0;
}

/* Hold the folder for this process, and note where its server runs: a folder may be seen by many machines. */
static int lock_folder(struct farm_server *server, struct error *error)
{
    char *path = file_join(server->folder, "running");
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);
    if (lock < 0)
        return error_set(error, "%s/running: can't be made (%s); check the permissions", server->folder,
                         strerror(errno));
    if (take_folder(server, lock, error)) {
        close(lock);
        return -1;
    }
    server->lock = lock;
    return 0;
}

/* --- what PostgreSQL stores --- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    return remove(path);
}

/* 32 characters of base64's alphabet for URLs: none of them means anything in SQL or in a passfile. */
static int make_password(char password[PASSWORD_BYTES * 4 / 3 + 1], struct error *error)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[PASSWORD_BYTES * 4 / 3];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return error_set(error, "no random password can be made (%s)", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        password[i] = alphabet[bytes[i] % 64];
    password[sizeof bytes] = '\0';
    return 0;
}

/* A file without a name that has this text, for a program's standard input. */
static int text_file(const char *text)
{
    int file = memfd_create("espalier-farm", MFD_CLOEXEC);
    if (file >= 0 && (write(file, text, strlen(text)) != (ssize_t)strlen(text) || lseek(file, 0, SEEK_SET)))
        return close(file), -1;
    return file;
}

/* Run a program of PostgreSQL's with `input` as its standard input. */
static int run_with(const struct farm_server *server, const char *const words[], const char *input, struct error *error)
{
    struct text printed = TEXT_EMPTY;
    int file = text_file(input);
    int failed = farm_run_program(words, file, &printed, error);
    if (file >= 0)
        close(file);
    if (failed) {
        char *log = file_join(server->folder, "log");
        file_write(log, text_string(&printed), printed.length, NULL);
        error_prefix(error, "%s: can't be made", server->folder);
        free(log);
    }
    text_done(&printed);
    return failed;
}

static int append(const char *path, const char *text, struct error *error)
{
    int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    ssize_t written = file < 0 ? -1 : write(file, text, strlen(text));
    int reason = errno;
    if (file >= 0)
        close(file);
    return written == (ssize_t)strlen(text) ? 0 : error_set(error, "%s: can't be written (%s)", path, strerror(reason));
}

/* initdb, then roles, passwords and database. */
static int fill_store(const struct farm_server *server, const char *store,
                      char passwords[3][PASSWORD_BYTES * 4 / 3 + 1], struct error *error)
{
    char *initdb = file_join(server->programs, "initdb"), *postgres = file_join(server->programs, "postgres");
    char *conf = file_join(store, "postgresql.conf");
    const char *const make[] = {
        initdb, "-D",   store, "-U",          "postgres", "-A", "scram-sha-256", "--pwfile=/dev/stdin",
        "-E",   "UTF8", "-k",  "--no-locale", NULL};
    const char *const single[] = {postgres, "--single", "-D", store, "-c", "exit_on_error=true", "postgres", NULL};
    struct text sql = TEXT_EMPTY;
    text_add(&sql,
             "CREATE ROLE espalier LOGIN PASSWORD '%s';\nCREATE ROLE espalier_worker LOGIN PASSWORD '%s';\n"
             "CREATE DATABASE espalier OWNER espalier;\nREVOKE ALL ON DATABASE espalier FROM PUBLIC;\n"
             "GRANT CONNECT ON DATABASE espalier TO espalier_worker;\n",
             passwords[1], passwords[2]);
    int failed = run_with(server, make, passwords[0], error) || append(conf, settings, error) ||
                 run_with(server, single, text_string(&sql), error);
    text_done(&sql);
    free(initdb);
    free(postgres);
    free(conf);
    return failed ? -1 : 0;
}

static int make_store(const struct farm_server *server, const char *store, struct error *error)
{
    static const char *const roles[] = {"postgres", "espalier", "espalier_worker"};
    char passwords[3][PASSWORD_BYTES * 4 / 3 + 1];
    struct text fresh = TEXT_EMPTY, owner = TEXT_EMPTY, worker = TEXT_EMPTY;
    int failed = 0;
    for (int i = 0; i < 3 && !failed; i++) {
        failed = make_password(passwords[i], error);
        text_add(i < 2 ? &owner : &worker, "*:*:*:%s:%s\n", roles[i], passwords[i]);
    }
    text_add(&fresh, "%s.new", store);
    nftw(fresh.bytes, remove_entry, 16, FTW_DEPTH | FTW_PHYS); /* of a start that was cut short */
    failed = failed || farm_server_write(server, "passfile", text_string(&owner), error) ||
             farm_server_write(server, "worker/passfile", text_string(&worker), error) ||
             fill_store(server, fresh.bytes, passwords, error);
    if (!failed && rename(fresh.bytes, store))
        failed = error_set(error, "%s: can't be renamed (%s)", fresh.bytes, strerror(errno));
    text_done(&fresh);
    text_done(&owner);
    text_done(&worker);
    return failed ? -1 : 0;
}

/* The version that made the store; 0: there is none yet. */
static int store_version(const char *store, int *version, struct error *error)
{
    char *path = file_join(store, "PG_VERSION");
    void *text = NULL;
    size_t length;
    *version = 0;
    int failed = file_exists(store) && file_read(path, SMALL_FILE, &text, &length, error);
    if (!failed && text && (*version = atoi(text)) <= 0)
        failed = error_set(error, "%s: names no version of PostgreSQL; the folder is damaged", path);
    free(text);
    free(path);
    return failed;
}

int farm_server_open(struct farm_server *server, const char *folder, const char *listen, struct error *error)
{
    *server = (struct farm_server){.port = FARM_SERVER_PORT, .lock = -1};
    if (geteuid() == 0)
        return error_set(error, "PostgreSQL refuses to run as root; run this as an ordinary user");
    umask(077);
    if (farm_server_listen(server, listen, error) || open_folder(server, folder, error))
        return -1;
    char *store = file_join(server->folder, "data");
    int version, failed = store_version(store, &version, error) || find_programs(server, version, error) ||
                          lock_folder(server, error);
    if (!failed && !version)
        failed = make_store(server, store, error);
    free(store);
    return failed || farm_server_connections(server, error) ? -1 : 0;
}

void farm_server_close(struct farm_server *server)
{
    farm_server_stop(server);
    if (server->lock >= 0) {
        int emptied = ftruncate(server->lock, 0); /* not removed: another process may have it open */
        (void)emptied;
        close(server->lock);
    }
    free(server->folder);
    free(server->programs);
    free(server->address);
    *server = (struct farm_server){.lock = -1};
}
