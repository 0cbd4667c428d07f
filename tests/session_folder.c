/* session_folder.c - see session_folder.h. */
#include "config.h"

#include "session_folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

char *folder_new(void)
{
    const char *temporary = getenv("TMPDIR");
    if (!temporary)
        temporary = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm"; /* a disk takes milliseconds for every sync */
    char *folder = file_join(temporary, "espalier-test-XXXXXX");
    ASSERT(mkdtemp(folder));
    return folder;
}

void folder_remove(const char *folder)
{
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        char *path = file_join(folder, entry->d_name);
        struct stat status;
        if (!lstat(path, &status) && S_ISDIR(status.st_mode))
            folder_remove(path);
        else
            unlink(path);
        free(path);
    }
    if (directory)
        closedir(directory);
    rmdir(folder);
}

void log_add_frame(struct text *text, const void *payload, size_t length)
{
    unsigned char header[FRAME_HEADER];
    frame_write_header(header, payload, length);
    text_add_bytes(text, (const char *)header, sizeof header);
    text_add_bytes(text, payload, length);
}

unsigned char *log_bytes(const struct event_list *list, size_t **offsets)
{
    struct text text = TEXT_EMPTY;
    unsigned char header[LOG_HEADER] = LOG_MAGIC;
    header[LOG_HEADER - 1] = LOG_VERSION;
    text_add_bytes(&text, (const char *)header, sizeof header);
    *offsets = memory_new(list->count + 1, sizeof **offsets);
    for (size_t i = 0; i < list->count; i++) {
        void *payload;
        size_t length;
        (*offsets)[i] = text.length;
        event_encode(&list->items[i], &payload, &length);
        log_add_frame(&text, payload, length);
        free(payload);
    }
    (*offsets)[list->count] = text.length;
    return (unsigned char *)text_take(&text);
}

void log_put(const char *folder, const void *bytes, size_t length)
{
    char *path = file_join(folder, LOG_FILE);
    FILE *file = fopen(path, "wb");
    ASSERT(file && fwrite(bytes, 1, length, file) == length && !fclose(file));
    free(path);
}

size_t log_size(const char *folder)
{
    char *path = file_join(folder, LOG_FILE);
    struct stat status;
    ASSERT(!stat(path, &status));
    free(path);
    return (size_t)status.st_size;
}
