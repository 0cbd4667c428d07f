/*
 * connections.c - connects to a search's socket again and again, and sends what no client should.
 *
 *     connections SOCKET NUMBER
 *
 * Each connection in turn is closed at once, sends commands and reads no answer, sends a line without an end, or sends
 * bytes that are no text.  The last ones stay open, so that the server is full most of the time.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { KEPT = 40 /* more than the server has entries */, LINE = 8192 };

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (file >= 0 && connect(file, (struct sockaddr *)&address, sizeof address)) {
        close(file);
        return -1;
    }
    return file;
}

/* Bytes that follow from `number`; what the server doesn't take is left. */
static void send_something(int file, int number)
{
    char bytes[LINE];
    uint32_t word = (uint32_t)number * 2654435761u;
    size_t length = 1 + (size_t)number * 97 % LINE;
    const char *words = number % 8 == 1 ? "note 1 hello\nrate 0.1\n" : "prune 99999999999999999999\n\n\nbudget x\n";
    memset(bytes, 'x', sizeof bytes);
    if (number % 4 == 1)
        length = (size_t)snprintf(bytes, sizeof bytes, "%s", words);
    for (size_t i = 0; number % 4 == 3 && i < length; i++)
        bytes[i] = (char)((word = word * 1664525 + 1013904223) >> 24);
    if (number % 4)
        (void)!send(file, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int main(int count, char **words)
{
    int kept[KEPT], made = 0, number = count == 3 ? atoi(words[2]) : 0;
    memset(kept, -1, sizeof kept);
    for (int i = 0; i < number; i++) {
        int file = connect_to(words[1]);
        if (file < 0) {
            perror(words[1]);
            return 1;
        }
        made++;
        send_something(file, i);
        if (kept[i % KEPT] >= 0)
            close(kept[i % KEPT]);
        kept[i % KEPT] = i % 4 ? file : -1;
        if (i % 4 == 0)
            close(file);
    }
    printf("connections: %d connections\n", made);
    return made == number ? 0 : 1;
}
