/*
 * fuzz_socket.c - any bytes on the socket of a running search.
 *
 * They are sent before the search runs, in two parts.  What comes back is the greeting, answers in order, and empty
 * lines; the log has what the engine did.
 */
#include "config.h"

#include <sys/socket.h>
#include <unistd.h>

#include "../engine_bed.h"
#include "search/server.h"
#include "session_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void on_event(void *context, const struct event *event)
{
    enum { EVENTS_MOST = 100 };
    if (event->number > EVENTS_MOST)
        engine_stop(context);
    if (event->kind == EVENT_PAUSED && event->as.paused.paused)
        engine_command(context, AUTHOR_USER, "continue");
}

static void check_lines(char *text)
{
    static const char greeting[] = SERVER_GREETING "\n";
    int64_t last = 0, number;
    if (!*text) /* the search ended before anybody was let in */
        return;
    ASSERT(!strncmp(text, greeting, sizeof greeting - 1));
    text += sizeof greeting - 1;
    for (char *line; (line = strsep(&text, "\n"));) {
        if (!*line || !strncmp(line, SERVER_REFUSED, sizeof SERVER_REFUSED - 1))
            continue;
        ASSERT(!text || (!text_to_integer(line, last + 1, INT64_MAX, &number)));
        last = text ? number : last;
    }
}

/* Send what the socket takes at once: the server reads a line when the one before it is answered. */
static void send_some(int socket, const uint8_t *bytes, size_t length)
{
    if (length && send(socket, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        shutdown(socket, SHUT_WR);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *scratch = folder_new(), *folder = bed_path(scratch, "search"), received[4096];
    struct search_options options = bed_options();
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 1, .no_epochs = true});
    struct engine *engine;
    struct server *server;
    struct session_state *state;
    struct text text = TEXT_EMPTY;
    struct error error = {""}, warning = {""};
    options.networks = 2;
    ASSERT(!engine_create(&options, folder, &data, evaluator, &engine, &error));
    ASSERT(!server_open(engine, folder, &server, &error));
    engine_add_sink(engine, (struct event_sink){on_event, engine});
    int socket = server_connect(folder, &error);
    ASSERT(socket >= 0);
    send_some(socket, bytes, length / 2);
    send_some(socket, bytes + length / 2, length - length / 2);
    if (engine_run(engine, &error))
        ASSERT(error.text[0]);
    struct hash live = session_digest(engine_state(engine));
    server_close(server);
    for (ssize_t got; (got = recv(socket, received, sizeof received, 0)) > 0;)
        text_add_bytes(&text, received, (size_t)got);
    close(socket);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    text_add(&text, "%s", "");
    check_lines(text.bytes);
    text_done(&text);
    ASSERT(!session_load(folder, &state, &warning, &error) && !warning.text[0]);
    ASSERT(hash_equal(live, session_digest(state)));
    session_state_free(state);
    folder_remove(scratch);
    free(scratch);
    free(folder);
    return 0;
}
