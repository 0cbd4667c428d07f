/*
 * farm_server_address.c - how a private server is reached; see farm_server.h.
 *
 * A client trusts exactly the certificate that the folder has (sslmode=verify-ca), and shows its password only to who
 * has the key of that certificate (channel_binding=require).  The administrator of the database, `postgres`, is let in
 * on the socket alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/commands/farm_server_internal.h"
#include "farm/place.h"
#include "util/file.h"
#include "util/memory.h"

/* --- --listen ADDRESS[:PORT] --- */

static int split_address(struct farm_server *server, const char *listen, struct error *error)
{
    const char *colon = strrchr(listen, ':'), *begin = listen + (*listen == '[');
    if (colon && ((*listen != '[' && colon != strchr(listen, ':')) || (*listen == '[' && colon[-1] != ']')))
        colon = NULL; /* of an IPv6 address */
    size_t length = colon ? (size_t)(colon - begin) : strlen(begin);
    int64_t port = FARM_SERVER_PORT;
    if (*listen == '[' && length && begin[length - 1] == ']')
        length--;
    if (!length || strcspn(begin, ", '\"/\\") < length || (colon && text_to_integer(colon + 1, 1, 65535, &port)))
        return error_set(error, "--listen %s: must be ADDRESS or ADDRESS:PORT, such as 0.0.0.0 or 192.168.1.5:5433",
                         listen);
    struct text address = TEXT_EMPTY;
    text_add_bytes(&address, begin, length);
    server->address = text_take(&address);
    server->port = (int)port;
    return 0;
}

static int try_address(const struct addrinfo *address)
{
    int one = 1, failed = 0;
    int file = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file < 0)
        return errno;
    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->ai_family == AF_INET6)
        setsockopt(file, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(file, address->ai_addr, address->ai_addrlen) || listen(file, 1))
        failed = errno;
    close(file);
    return failed;
}

int farm_server_listen(struct farm_server *server, const char *listen, struct error *error)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char port[TEXT_SHORT];
    if (!listen)
        return 0;
    if (split_address(server, listen, error))
        return -1;
    snprintf(port, sizeof port, "%d", server->port);
    int unknown = getaddrinfo(strcmp(server->address, "*") ? server->address : NULL, port, &hints, &found);
    if (unknown)
        return error_set(error, "--listen %s: no such address (%s)", listen, gai_strerror(unknown));
    int reason = try_address(found);
    freeaddrinfo(found);
    if (reason == EADDRINUSE)
        return error_set(error, "--listen %s: port %d is taken; choose another: --listen %s%s%s:%d", listen,
                         server->port, strchr(server->address, ':') ? "[" : "", server->address,
                         strchr(server->address, ':') ? "]" : "", server->port < 65535 ? server->port + 1 : 5433);
    if (reason)
        return error_set(error, "--listen %s: can't listen there (%s); name an address of this machine, or 0.0.0.0",
                         listen, strerror(reason));
    return 0;
}

/* --- the files that say how to connect --- */

int farm_server_write(const struct farm_server *server, const char *name, const char *text, struct error *error)
{
    char *path = file_join(server->folder, name), *folder = memory_copy_text(path);
    *strrchr(folder, '/') = '\0';
    int failed = file_make_folder(folder, error) || file_write(path, text, strlen(text), error);
    free(folder);
    free(path);
    return failed ? -1 : 0;
}

static int write_url(const struct farm_server *server, const char *name, const char *role, struct error *error)
{
    static const char *const everywhere[] = {"*", "0.0.0.0", "::"};
    const char *address = server->address;
    char host[256] = "";
    struct text url = TEXT_EMPTY;
    for (size_t i = 0; address && i < sizeof everywhere / sizeof *everywhere; i++)
        if (!strcmp(server->address, everywhere[i]) && !gethostname(host, sizeof host - 1))
            address = host;
    text_add(&url, "postgresql://%s@/espalier?host=", role);
    farm_place_encode(&url, address ? address : server->folder);
    text_add(&url, "&port=%d%s\n", server->port, address ? "&channel_binding=require" : "");
    int failed = farm_server_write(server, name, url.bytes, error);
    text_done(&url);
    return failed;
}

/* A certificate of the server's own, for ten years. */
static int make_certificate(const struct farm_server *server, struct error *error)
{
    char *key = file_join(server->folder, "server.key"), *certificate = file_join(server->folder, "server.crt");
    const char *const words[] = {"openssl",
                                 "req",
                                 "-x509",
                                 "-newkey",
                                 "ec",
                                 "-pkeyopt",
                                 "ec_paramgen_curve:P-256",
                                 "-nodes",
                                 "-days",
                                 "3650",
                                 "-subj",
                                 "/CN=espalier farm",
                                 "-keyout",
                                 key,
                                 "-out",
                                 certificate,
                                 NULL};
    struct text printed = TEXT_EMPTY;
    int failed = 0;
    if (!file_exists(certificate) && farm_run_program(words, -1, &printed, error)) {
        struct error reason = *error;
        failed =
            error_set(error, "%s: can't be made: %s; apt-get install openssl, or put server.crt and server.key there",
                      certificate, reason.text);
    }
    text_done(&printed);
    free(key);
    free(certificate);
    return failed;
}

static int copy_certificate(const struct farm_server *server, struct error *error)
{
    char *certificate = file_join(server->folder, "server.crt");
    void *text;
    size_t length;
    int failed = file_read(certificate, 1 << 20, &text, &length, error);
    if (!failed) {
        failed = farm_server_write(server, "worker/server.crt", text, error);
        free(text);
    }
    free(certificate);
    return failed;
}

int farm_server_connections(const struct farm_server *server, struct error *error)
{
    static const char local[] = "# by `espalier farm serve`, at each start\nlocal all all scram-sha-256\n",
                      remote[] = "hostssl espalier espalier,espalier_worker all scram-sha-256\n";
    char rules[sizeof local + sizeof remote];
    if (server->address && (make_certificate(server, error) || copy_certificate(server, error)))
        return -1;
    snprintf(rules, sizeof rules, "%s%s", local, server->address ? remote : "");
    return farm_server_write(server, "data/pg_hba.conf", rules, error) || write_url(server, "url", "espalier", error) ||
                   write_url(server, "worker/url", "espalier_worker", error)
               ? -1
               : 0;
}
