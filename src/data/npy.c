/*
 * npy.c - "\x93NUMPY", two bytes of a version, the header's length (2 bytes in version 1, 4 in version 2, little
 * endian), the header, the values (numpy.lib.format).
 *
 * The header is a Python dictionary, filled up with spaces:
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (100, 28, 28), }
 * Keys come in any order, each once.  Values follow in C's order (the last dimension fastest) or in Fortran's.
 */
#include "data/npy.h"

#include <stdio.h>
#include <string.h>

#include <utf8proc.h>

#include "util/print.h"

enum { HEADER_MAX = 4096, WORD_MAX = 16, SIZE_MAX_READ = INT32_MAX, UTF32 = 4 };

/* --- the header --- */

struct cursor {
    const char *at, *end;
};

static void skip_spaces(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n'))
        cursor->at++;
}

/* Is this the next word or sign?  Then it is read. */
static bool take(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);
    skip_spaces(cursor);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length))
        return false;
    cursor->at += length;
    return true;
}

/* A text in quotes, without escapes. */
static bool take_text(struct cursor *cursor, char text[WORD_MAX])
{
    size_t length = 0;
    char quote = take(cursor, "'") ? '\'' : take(cursor, "\"") ? '"' : '\0';
    if (!quote)
        return false;
    for (; cursor->at < cursor->end && *cursor->at != quote; cursor->at++) {
        if (*cursor->at == '\\' || length + 1 == WORD_MAX)
            return false;
        text[length++] = *cursor->at;
    }
    text[length] = '\0';
    return take(cursor, quote == '"' ? "\"" : "'");
}

/* Python 2 writes an L behind some. */
static bool take_size(struct cursor *cursor, size_t *size)
{
    skip_spaces(cursor);
    const char *start = cursor->at;
    for (*size = 0; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
        if ((*size = *size * 10 + (size_t)(*cursor->at - '0')) > SIZE_MAX_READ)
            return false;
    bool taken = cursor->at > start;
    take(cursor, "L");
    return taken;
}

/* "()", "(3,)", "(3, 4)", "(3, 4, )": a single size has a comma. */
static bool take_shape(struct cursor *cursor, struct npy *npy)
{
    bool comma = true;
    if (!take(cursor, "("))
        return false;
    for (npy->dimensions = 0; !take(cursor, ")"); npy->dimensions++) {
        size_t size;
        if (!comma || !take_size(cursor, &size))
            return false;
        if (npy->dimensions < NPY_DIMENSIONS_MAX)
            npy->sizes[npy->dimensions] = size;
        comma = take(cursor, ",");
    }
    return comma || npy->dimensions != 1;
}

enum { KEY_TYPE, KEY_ORDER, KEY_SHAPE, KEYS };

/* One key and its value. */
static bool take_entry(struct cursor *cursor, struct npy *npy, char type[WORD_MAX], bool *fortran, bool seen[KEYS])
{
    static const char *const keys[KEYS] = {"descr", "fortran_order", "shape"};
    char key[WORD_MAX];
    int k = 0;
    if (!take_text(cursor, key) || !take(cursor, ":"))
        return false;
    while (k < KEYS && strcmp(keys[k], key))
        k++;
    if (k == KEYS || seen[k])
        return false;
    seen[k] = true;
    if (k == KEY_SHAPE)
        return take_shape(cursor, npy);
    if (k == KEY_ORDER)
        return (*fortran = take(cursor, "True")) || take(cursor, "False");
    return take_text(cursor, type);
}

static bool parse_header(struct cursor cursor, struct npy *npy, char type[WORD_MAX], bool *fortran)
{
    bool seen[KEYS] = {false}, comma = true;
    if (!take(&cursor, "{"))
        return false;
    while (!take(&cursor, "}")) {
        if (!comma || !take_entry(&cursor, npy, type, fortran, seen))
            return false;
        comma = take(&cursor, ",");
    }
    skip_spaces(&cursor);
    return cursor.at == cursor.end && seen[KEY_TYPE] && seen[KEY_ORDER] && seen[KEY_SHAPE];
}

/* "<f4": order, kind and bytes of a value. */
static int parse_type(const char *type, struct npy *npy, struct error *error)
{
    const char *at = type;
    char rest;
    npy->big_endian = *at == '>';
    at += *at && strchr("<>|=", *at);
    npy->kind = *at;
    if (*at == 'O')
        return error_set(error, "holds Python objects (a pickle), which can run code and are never read; save numbers");
    if (!*at || at[1] < '1' || at[1] > '9' || sscanf(at + 1, "%3d%c", &npy->bytes, &rest) != 1)
        return error_set(error, "has values of the type %s, which isn't known; save it as another", type);
    npy->bytes *= npy->kind == 'U' ? UTF32 : 1;
    return 0;
}

/* --- the array --- */

static int set_strides(struct npy *npy, bool fortran, size_t *count, struct error *error)
{
    char shape[100];
    if (npy->dimensions > NPY_DIMENSIONS_MAX)
        return error_set(error, "has %d dimensions; images have 3 or 4, labels 1", npy->dimensions);
    *count = 1;
    for (int i = 0; i < npy->dimensions; i++) {
        int d = fortran ? i : npy->dimensions - 1 - i;
        npy->strides[d] = *count;
        if (!npy->sizes[d])
            return error_set(error, "is empty (its shape is %s); leave it out", npy_shape_name(npy, shape));
        if (npy->sizes[d] > SIZE_MAX_READ / *count)
            return error_set(error, "has more than %d values (its shape is %s); save fewer", SIZE_MAX_READ,
                             npy_shape_name(npy, shape));
        *count *= npy->sizes[d];
    }
    return 0;
}

static int check_start(const uint8_t *bytes, size_t length, size_t *header, size_t *values, struct error *error)
{
    if (length < 12 || memcmp(bytes, "\x93NUMPY", 6))
        return error_set(error, "is no array of NumPy; save it by numpy.savez");
    if (bytes[6] != 1 && bytes[6] != 2)
        return error_set(error, "is an array of version %d.%d, of which 1 and 2 are read; save it by numpy.savez",
                         bytes[6], bytes[7]);
    size_t size = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] == 2)
        size |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    *header = bytes[6] == 2 ? 12 : 10;
    *values = *header + size;
    if (size > HEADER_MAX || *values > length)
        return error_set(error, "is damaged in its header, or is cut short; save it again by numpy.savez");
    return 0;
}

int npy_parse(const uint8_t *bytes, size_t length, struct npy *npy, struct error *error)
{
    char type[WORD_MAX] = "";
    bool fortran = false;
    size_t header = 0, values = 0, count = 0;
    *npy = (struct npy){.kind = '\0'};
    if (check_start(bytes, length, &header, &values, error))
        return -1;
    struct cursor cursor = {(const char *)bytes + header, (const char *)bytes + values};
    if (!parse_header(cursor, npy, type, &fortran))
        return error_set(error, "has a header that isn't of a plain array; save it by numpy.savez, without fields");
    if (parse_type(type, npy, error) || set_strides(npy, fortran, &count, error))
        return -1;
    npy->values = bytes + values;
    size_t expected = count * (size_t)npy->bytes, there = length - values;
    if (there != expected && strchr("uifbSU", npy->kind))
        return error_set(error, "has %zu bytes of values, where its shape says %zu; copy the file again", there,
                         expected);
    return 0;
}

char *npy_type_name(const struct npy *npy, char text[24])
{
    const char *name = npy->kind == 'u' ? "uint" : npy->kind == 'i' ? "int" : npy->kind == 'f' ? "float" : NULL;
    if (name)
        snprintf(text, 24, "%s%d", name, 8 * npy->bytes);
    else
        snprintf(text, 24, "%s", npy->kind == 'b' ? "bool" : strchr("SUa", npy->kind) ? "text" : "no numbers");
    return text;
}

char *npy_shape_name(const struct npy *npy, char text[100])
{
    size_t used = (size_t)snprintf(text, 100, "(");
    for (int i = 0; i < npy->dimensions && i < NPY_DIMENSIONS_MAX; i++)
        used += (size_t)snprintf(text + used, 100 - used, "%s%zu", i ? ", " : "", npy->sizes[i]);
    snprintf(text + used, 100 - used, npy->dimensions == 1 ? ",)" : ")");
    return text;
}

int64_t npy_integer(const struct npy *npy, size_t place)
{
    const uint8_t *at = npy->values + place * (size_t)npy->bytes;
    uint64_t value = 0;
    for (int i = 0; i < npy->bytes; i++)
        value = value << 8 | at[npy->big_endian ? i : npy->bytes - 1 - i];
    bool negative = npy->kind == 'i' && value >> (8 * npy->bytes - 1);
    if (negative)
        return (int64_t)(value | (npy->bytes < 8 ? UINT64_MAX << 8 * npy->bytes : 0));
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* Text of kind 'S' is bytes, of kind 'U' one number of 32 bits for each character; zeros follow up to its length. */
int npy_text(const struct npy *npy, size_t place, struct text *text)
{
    const char *bytes = (const char *)npy->values + place * (size_t)npy->bytes;
    if (npy->kind == 'S')
        text_add_bytes(text, bytes, strnlen(bytes, (size_t)npy->bytes));
    struct npy characters = *npy;
    characters.kind = 'u';
    characters.bytes = UTF32;
    for (size_t i = 0, count = (size_t)npy->bytes / UTF32; npy->kind == 'U' && i < count; i++) {
        utf8proc_uint8_t encoded[4];
        int64_t character = npy_integer(&characters, place * count + i);
        if (!character)
            break;
        if (!utf8proc_codepoint_valid((utf8proc_int32_t)character))
            return -1;
        text_add_bytes(text, (char *)encoded, (size_t)utf8proc_encode_char((utf8proc_int32_t)character, encoded));
    }
    const char *found = text_string(text);
    return text->length && text->length == strlen(found) && text->length == print_plain_length(found) ? 0 : -1;
}
