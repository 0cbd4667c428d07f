/* terminal_bed.c - see terminal_bed.h. */
#include "config.h"

#include "terminal_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sessions/log.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/random.h"

enum { ARGUMENTS_MAX = 48, PICTURES = 500, PICTURE_SIDE = 28, PICTURE_CLASSES = 4 };

static char *folder, *program;

int terminal_bed_open(void **state)
{
    const char *build = getenv("top_builddir");
    char *here = realpath(build ? build : ".", NULL);
    program = file_join(here ? here : ".", "espalier");
    free(here);
    folder = folder_new();
    return 0;
}

int terminal_bed_close(void **state)
{
    folder_remove(folder);
    free(folder);
    free(program);
    return 0;
}

const char *terminal_bed_folder(void)
{
    return folder;
}

const char *terminal_bed_program(void)
{
    return program;
}

char *session_path(const char *name)
{
    struct text path = TEXT_EMPTY;
    text_add(&path, "%s/%s.esp", folder, name);
    return text_take(&path);
}

struct session_expectation record_session(const char *name, const struct session_recipe *recipe)
{
    struct event_list list = {0};
    struct session_expectation expectation = session_generate(recipe, event_list_add, &list);
    size_t *offsets;
    unsigned char *bytes = log_bytes(&list, &offsets);
    char *path = session_path(name);
    ASSERT(!mkdir(path, 0777));
    log_put(path, bytes, offsets[list.count]);
    free(path);
    free(bytes);
    free(offsets);
    event_list_done(&list);
    return expectation;
}

static void add_big_endian(struct text *text, uint32_t value)
{
    char bytes[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};
    text_add_bytes(text, bytes, sizeof bytes);
}

static void write_idx(const char *name, struct text *content)
{
    struct error error;
    char *path = file_join(folder, name);
    ASSERT(!file_write(path, text_string(content), content->length, &error));
    free(path);
    text_done(content);
}

/* Each class has a bright square at a place of its own, over noise. */
void draw_pictures(void)
{
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 0, 0);
    struct text images = TEXT_EMPTY, labels = TEXT_EMPTY;
    struct error error;
    char *path = file_join(folder, "pictures");
    ASSERT(!file_make_folder(path, &error));
    free(path);
    add_big_endian(&images, 0x803);
    add_big_endian(&images, PICTURES);
    add_big_endian(&images, PICTURE_SIDE);
    add_big_endian(&images, PICTURE_SIDE);
    add_big_endian(&labels, 0x801);
    add_big_endian(&labels, PICTURES);
    for (int i = 0; i < PICTURES; i++) {
        int label = i % PICTURE_CLASSES;
        text_add_bytes(&labels, &(char){(char)label}, 1);
        for (int pixel = 0; pixel < PICTURE_SIDE * PICTURE_SIDE; pixel++) {
            int row = pixel / PICTURE_SIDE / 14, column = pixel % PICTURE_SIDE / 14;
            bool bright = row * 2 + column == label;
            text_add_bytes(&images, &(char){(char)(random_below(&stream, 128) + (bright ? 60 : 0))}, 1);
        }
    }
    write_idx("pictures/train-images-idx3-ubyte", &images);
    write_idx("pictures/train-labels-idx1-ubyte", &labels);
}

struct pty_setup usual_setup(void)
{
    return (struct pty_setup){.width = 80, .height = 24, .terminal = "screen-256color"};
}

struct pty_terminal *start_espalier(const struct pty_setup *setup, ...)
{
    struct pty_setup in_folder = *setup;
    const char *arguments[ARGUMENTS_MAX] = {program};
    int count = 1;
    va_list list;
    va_start(list, setup);
    while ((arguments[count++] = va_arg(list, const char *)))
        ASSERT(count < ARGUMENTS_MAX);
    va_end(list);
    in_folder.folder = setup->folder ? setup->folder : folder;
    struct pty_terminal *terminal = pty_start(&in_folder, arguments);
    assert_non_null(terminal);
    return terminal;
}

struct pty_terminal *start_search(const struct pty_setup *setup, const char *out)
{
    return start_espalier(setup, "run", "--out", out, SMALL_SEARCH, NULL);
}

struct session_state *load_session(const char *name)
{
    struct session_state *session = NULL;
    struct error error = {{0}}, warning = {{0}};
    char *path = session_path(name);
    if (session_load(path, &session, &warning, &error))
        print_error("# %s\n", error.text);
    assert_non_null(session);
    free(path);
    return session;
}

static void print_screen(struct pty_terminal *terminal)
{
    struct text text = TEXT_EMPTY;
    pty_print_screen(terminal, &text);
    for (const char *line = text_string(&text); *line; line += strcspn(line, "\n") + 1)
        print_error("# |%.*s\n", (int)strcspn(line, "\n"), line);
    text_done(&text);
}

void expect_that(bool met, struct pty_terminal *terminal, const char *what, const char *file, int line)
{
    if (met)
        return;
    print_error("# the screen, which should be so: %s\n", what);
    print_screen(terminal);
    _fail(file, line);
}

void expect_end(struct pty_terminal *terminal, int status, int signal, const char *file, int line)
{
    int got = 0;
    bool ended = pty_wait_exit(terminal, &got);
    bool right = signal ? WIFSIGNALED(got) && WTERMSIG(got) == signal : WIFEXITED(got) && WEXITSTATUS(got) == status;
    if (ended && right)
        return;
    print_error("# the program should end with status %d or signal %d; it %s, wait status 0x%x\n", status, signal,
                ended ? "ended" : "still runs", (unsigned)got);
    print_screen(terminal);
    _fail(file, line);
}
