/* notes.c - see notes.h. */
#include "export/notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"
#include "util/text.h"

void notes_add(struct notes *notes, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    ASSERT(notes->count < NOTES_MAX);
    notes->list[notes->count++] = (struct safetensors_note){name, memory_copy_text(text)};
}

void notes_done(struct notes *notes)
{
    for (int i = 0; i < notes->count; i++)
        free((char *)notes->list[i].text);
    *notes = (struct notes){0};
}

/* With all digits: the same numbers are read back. */
static void add_numbers(struct notes *notes, const char *name, const double *values, int count)
{
    struct text text = TEXT_EMPTY;
    for (int i = 0; i < count; i++)
        text_add(&text, "%s%.17g", i ? "," : "", values[i]);
    notes_add(notes, name, text_string(&text));
    text_done(&text);
}

void notes_add_data(struct notes *notes, const struct data_facts *facts)
{
    char hash[HASH_TEXT];
    struct text classes = TEXT_EMPTY;
    if (!facts->classes)
        return;
    for (int i = 0; i < facts->classes; i++)
        text_add(&classes, "%s%s", i ? "\n" : "", facts->class_names[i]);
    notes_add(notes, "data", facts->data);
    notes_add(notes, "checksum", hash_print(facts->hash, hash));
    notes_add(notes, "classes", text_string(&classes));
    add_numbers(notes, "mean", facts->pixels.mean, facts->channels);
    add_numbers(notes, "deviation", facts->pixels.deviation, facts->channels);
    notes_add(notes, "layout", facts->layout);
    notes_add(notes, "mirrors", facts->mirrors ? "yes" : "no");
    text_done(&classes);
}

/* --- back --- */

/* How many numbers with commas the text has; 0: it is something else, or has too many. */
static int read_numbers(const char *text, double values[IMAGES_CHANNELS_MAX])
{
    int count = 0;
    for (char *end; text && count < IMAGES_CHANNELS_MAX; text = end + 1) {
        values[count++] = strtod(text, &end);
        if (end == text || (*end && *end != ','))
            return 0;
        if (!*end)
            return count;
    }
    return 0;
}

static void read_classes(char *text, struct data_facts *facts)
{
    int count = 1;
    for (const char *c = text; *c; c++)
        count += *c == '\n';
    if (count > IMAGES_CLASSES_MAX)
        return;
    facts->class_names = memory_new((size_t)count, sizeof *facts->class_names);
    for (char *line; (line = strsep(&text, "\n"));)
        facts->class_names[facts->classes++] = memory_copy_text(line);
}

void data_facts_of_file(const void *bytes, size_t length, struct data_facts *facts)
{
    static const char *const names[] = {"classes", "mean", "deviation", "data", "layout", "checksum", "mirrors"};
    enum { CLASSES, MEAN, DEVIATION, DATA, LAYOUT, CHECKSUM, MIRRORS, COUNT };
    char *texts[COUNT];
    *facts = (struct data_facts){0};
    for (int i = 0; i < COUNT; i++)
        texts[i] = safetensors_note(bytes, length, names[i]);
    facts->channels = read_numbers(texts[MEAN], facts->pixels.mean);
    if (texts[CLASSES] && facts->channels && read_numbers(texts[DEVIATION], facts->pixels.deviation) == facts->channels)
        read_classes(texts[CLASSES], facts);
    if (facts->classes) {
        facts->data = memory_copy_text(texts[DATA] ? texts[DATA] : "");
        facts->layout = memory_copy_text(texts[LAYOUT] ? texts[LAYOUT] : "");
        facts->hash = hash_scan(texts[CHECKSUM] ? texts[CHECKSUM] : "");
        facts->mirrors = texts[MIRRORS] && !strcmp(texts[MIRRORS], "yes");
    }
    for (int i = 0; i < COUNT; i++)
        free(texts[i]);
    if (!facts->classes)
        *facts = (struct data_facts){0};
}
