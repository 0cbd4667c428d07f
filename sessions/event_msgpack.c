/*
 * event_msgpack.c - an event to and from one msgpack map.
 *
 * The map is {"n": number, "t": time, "k": kind, field: value, …}, always beginning with "n": fsck looks for that
 * when it searches damaged bytes for the next good frame.  Decoding trusts nothing: before the library unpacks,
 * well_formed() walks the bytes, because the library allocates what an array's header claims before it has seen
 * the elements.  After it, there are no more objects than bytes.
 */
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/event.h"
#include "sessions/fields.h"
#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "util/bug.h"
#include "util/memory.h"

/* Bytes that the library allocates at first to unpack an event: enough for the keys and values of most kinds, and few
   enough for the allocator to give the same block each time; msgpack_unpack_next() would allocate 8 KB. */
enum { ZONE = 960 };

static int write_to_text(void *context, const char *bytes, size_t length)
{
    text_add_bytes(context, bytes, length);
    return 0;
}

static void pack_string(msgpack_packer *packer, const char *string)
{
    msgpack_pack_str_with_body(packer, string, strlen(string));
}

static void pack_value(msgpack_packer *packer, enum event_field_type type, const void *value)
{
    struct field_list list;
    if (field_list_get(type, value, &list)) {
        msgpack_pack_array(packer, (size_t)list.count);
        for (int i = 0; i < list.count; i++)
            pack_value(packer, list.element, field_list_item(&list, i));
    } else if (type == EVENT_FIELD_INTEGER)
        msgpack_pack_int64(packer, *(const int64_t *)value);
    else if (type == EVENT_FIELD_REAL)
        msgpack_pack_double(packer, *(const double *)value);
    else if (type == EVENT_FIELD_BOOL)
        *(const bool *)value ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
    else
        pack_string(packer, event_field_text(type, value));
}

void event_encode(const struct event *event, void **bytes, size_t *length)
{
    struct text text = TEXT_EMPTY;
    msgpack_packer packer;
    msgpack_packer_init(&packer, &text, write_to_text);
    int count;
    const struct event_field *fields = event_fields(event->kind, &count);
    msgpack_pack_map(&packer, (size_t)count + 3);
    pack_string(&packer, "n");
    msgpack_pack_int64(&packer, event->number);
    pack_string(&packer, "t");
    msgpack_pack_double(&packer, event->time);
    pack_string(&packer, "k");
    pack_string(&packer, event_kind_name(event->kind));
    for (int i = 0; i < count; i++) {
        pack_string(&packer, fields[i].name);
        pack_value(&packer, fields[i].type, event_field_of(&fields[i], &event->as));
    }
    *length = text.length;
    *bytes = text_take(&text);
}

/* --- is it one whole msgpack object? ------------------------------------------------------------------------- */

static uint64_t big_endian(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* The object's head at bytes[0]: how many bytes it has with its own text, and how many objects follow inside it.
   False for a reserved byte or when the head itself is cut. */
static bool head_of(const unsigned char *bytes, size_t length, uint64_t *size, uint64_t *inside)
{
    /* For the types 0xc0 … 0xdf: bytes after the first that are a length (of text or of elements) or a fixed body. */
    enum { NOTHING, FIXED, TEXT, ELEMENTS, PAIRS, EXTENSION, RESERVED };
    static const struct {
        unsigned char what, bytes;
    } heads[32] = {
        {NOTHING, 0},   {RESERVED, 0},  {NOTHING, 0},   {NOTHING, 0}, {TEXT, 1},  {TEXT, 2},  {TEXT, 4},
        {EXTENSION, 1}, {EXTENSION, 2}, {EXTENSION, 4}, {FIXED, 4},   {FIXED, 8}, {FIXED, 1}, {FIXED, 2},
        {FIXED, 4},     {FIXED, 8},     {FIXED, 1},     {FIXED, 2},   {FIXED, 4}, {FIXED, 8}, {FIXED, 2},
        {FIXED, 3},     {FIXED, 5},     {FIXED, 9},     {FIXED, 17},  {TEXT, 1},  {TEXT, 2},  {TEXT, 4},
        {ELEMENTS, 2},  {ELEMENTS, 4},  {PAIRS, 2},     {PAIRS, 4},
    };
    unsigned char first = bytes[0];
    *size = 1;
    *inside = 0;
    if (first < 0x80 || first >= 0xe0)
        return true;
    if (first < 0x90)
        *inside = 2 * (uint64_t)(first & 15);
    else if (first < 0xa0)
        *inside = first & 15;
    else if (first < 0xc0)
        *size += first & 31;
    if (first < 0xc0)
        return true;
    unsigned char what = heads[first - 0xc0].what, count = heads[first - 0xc0].bytes;
    if (what == RESERVED || (size_t)count + 1 > length)
        return false;
    uint64_t value = what == NOTHING || what == FIXED ? 0 : big_endian(bytes + 1, count);
    *size += count + (what == TEXT || what == EXTENSION ? value : 0) + (what == EXTENSION);
    *inside = what == ELEMENTS ? value : what == PAIRS ? 2 * value : 0;
    return true;
}

/* Exactly one object, and every element that a head announces is there.  No recursion: what is left to see is a
   number, and every step takes at least one byte. */
static bool well_formed(const unsigned char *bytes, size_t length)
{
    uint64_t wanted = 1;
    while (wanted) {
        uint64_t size, inside;
        if (!length || !head_of(bytes, length, &size, &inside) || size > length)
            return false;
        bytes += size;
        length -= size;
        wanted += inside - 1;
    }
    return !length;
}

void event_renumber(const void *payload, size_t length, int64_t number, struct text *out)
{
    const unsigned char *bytes = payload;
    size_t at;
    uint64_t size, inside;
    if (!frame_begins_event(bytes, length, &at) || !head_of(bytes + at, length - at, &size, &inside))
        BUG("not an event");
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, write_to_text);
    text_add_bytes(out, payload, at);
    msgpack_pack_int64(&packer, number);
    text_add_bytes(out, (const char *)bytes + at + size, length - at - (size_t)size);
}

/* --- decoding ------------------------------------------------------------------------------------------------ */

/* A log's keys and kinds are compared by the million: their lengths, which the tables know, differ in most. */
static bool is_text(const msgpack_object *object, const char *text, size_t length)
{
    return object->type == MSGPACK_OBJECT_STR && object->via.str.size == length &&
           !memcmp(object->via.str.ptr, text, length);
}

/* EVENT_KIND_COUNT: none of ours. */
static enum event_kind kind_of(const msgpack_object *object)
{
    static const struct {
        const char *name;
        size_t length;
    } kinds[] = {
#define KIND_NAME(kind, kind_name, durability) [EVENT_##kind] = {#kind_name, sizeof #kind_name - 1},
        EVENT_KINDS(KIND_NAME)};
    int kind = 0;
    while (kind < EVENT_KIND_COUNT && !is_text(object, kinds[kind].name, kinds[kind].length))
        kind++;
    return (enum event_kind)kind;
}

/* The keys that every kind has. */
enum { HEAD_NUMBER = 1, HEAD_TIME = 2, HEAD_KIND = 4 };

/* One of them, or 0: no field has a name of one letter. */
static unsigned head_key(const msgpack_object *key)
{
    if (key->type != MSGPACK_OBJECT_STR || key->via.str.size != 1)
        return 0;
    char letter = key->via.str.ptr[0];
    return letter == 'n' ? HEAD_NUMBER : letter == 't' ? HEAD_TIME : letter == 'k' ? HEAD_KIND : 0;
}

static bool take_integer(const msgpack_object *object, int64_t *value)
{
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 <= INT64_MAX)
        *value = (int64_t)object->via.u64;
    else if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        *value = object->via.i64;
    else
        return false;
    return true;
}

/* Other writers put whole numbers as integers where a real is meant. */
static bool take_real(const msgpack_object *object, double *value)
{
    int64_t integer;
    if (object->type == MSGPACK_OBJECT_FLOAT64 || object->type == MSGPACK_OBJECT_FLOAT32)
        *value = object->via.f64;
    else if (take_integer(object, &integer))
        *value = (double)integer;
    else
        return false;
    return true;
}

/* A text or a word. */
static bool take_string(const msgpack_object *object, enum event_field_type type, void *value)
{
    const char *bytes = object->via.str.ptr;
    size_t length = object->via.str.size;
    if (object->type != MSGPACK_OBJECT_STR || (length && memchr(bytes, 0, length)))
        return false;
    if (type != EVENT_FIELD_TEXT) {
        event_word_set(type, bytes, length, value);
        return true;
    }
    char *text = memory_new(length + 1, 1);
    if (length)
        memcpy(text, bytes, length);
    *(char **)value = text;
    return true;
}

/* On failure the field may hold a part: event_done() frees it. */
static bool take_value(const msgpack_object *object, enum event_field_type type, void *value)
{
    struct field_list list;
    if (type == EVENT_FIELD_INTEGER)
        return take_integer(object, value);
    if (type == EVENT_FIELD_REAL)
        return take_real(object, value);
    if (type == EVENT_FIELD_BOOL) {
        bool valid = object->type == MSGPACK_OBJECT_BOOLEAN;
        *(bool *)value = valid && object->via.boolean;
        return valid;
    }
    if (!field_list_get(type, value, &list))
        return take_string(object, type, value);
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size > INT32_MAX)
        return false;
    int count = (int)object->via.array.size;
    list.items = count ? memory_new((size_t)count, list.size) : NULL;
    while (list.count < count &&
           take_value(&object->via.array.ptr[list.count], list.element, field_list_item(&list, list.count)))
        list.count++;
    field_list_set(&list, value);
    return list.count == count;
}

static const char *type_name(enum event_field_type type)
{
    static const char *const names[] = {
        [EVENT_FIELD_INTEGER] = "an integer",
        [EVENT_FIELD_REAL] = "a number",
        [EVENT_FIELD_BOOL] = "true or false",
        [EVENT_FIELD_TEXT] = "a text",
        [EVENT_FIELD_TEXTS] = "an array of texts",
        [EVENT_FIELD_REALS] = "an array of numbers",
        [EVENT_FIELD_INTEGERS] = "an array of integers",
    };
    return names[type < EVENT_FIELD_AUTHOR ? type : EVENT_FIELD_TEXT];
}

/* Number, time and kind; `*kind` is EVENT_KIND_COUNT for a kind that isn't ours. */
static int take_head(const msgpack_object_map *map, struct event *event, struct error *error)
{
    unsigned seen = 0;
    event->kind = EVENT_KIND_COUNT;
    for (uint32_t i = 0; i < map->size; i++) {
        const msgpack_object *key = &map->ptr[i].key, *value = &map->ptr[i].val;
        unsigned which = head_key(key);
        if (seen & which)
            return error_set(error, "the key \"%.*s\" is there twice", (int)key->via.str.size, key->via.str.ptr);
        seen |= which;
        if (which == HEAD_NUMBER && !take_integer(value, &event->number))
            return error_set(error, "\"n\" is not an integer");
        if (which == HEAD_TIME && !take_real(value, &event->time))
            return error_set(error, "\"t\" is not a number");
        if (which == HEAD_KIND && value->type != MSGPACK_OBJECT_STR)
            return error_set(error, "\"k\" is not a text");
        if (which == HEAD_KIND)
            event->kind = kind_of(value);
    }
    if (seen != (HEAD_NUMBER | HEAD_TIME | HEAD_KIND))
        return error_set(error, "an event needs \"n\", \"t\" and \"k\"");
    return 0;
}

static int take_fields(const msgpack_object_map *map, struct event *event, struct error *error)
{
    int count;
    const struct event_field *fields = event_fields(event->kind, &count);
    uint32_t seen = 0;
    _Static_assert(EVENT_FIELDS_MAX <= 32, "one bit a field");
    int next = 0; /* our own writer keeps the order of the table */
    for (uint32_t i = 0; i < map->size; i++) {
        const msgpack_object *key = &map->ptr[i].key;
        int tries = head_key(key) ? count : 0;
        while (tries < count && !is_text(key, fields[next].name, fields[next].length)) {
            next = (next + 1) % count;
            tries++;
        }
        if (tries == count)
            continue;
        const struct event_field *field = &fields[next];
        if (seen & 1u << next)
            return error_set(error, "%s: \"%s\" is there twice", event_kind_name(event->kind), field->name);
        seen |= 1u << next;
        if (!take_value(&map->ptr[i].val, field->type, event_field_of(field, &event->as)))
            return error_set(error, "%s: \"%s\" is not %s", event_kind_name(event->kind), field->name,
                             type_name(field->type));
        next = (next + 1) % count;
    }
    for (int i = 0; i < count; i++)
        if (fields[i].type == EVENT_FIELD_TEXT && !(seen & 1u << i))
            *(char **)event_field_of(&fields[i], &event->as) = memory_copy_text("");
    return 0;
}

static int decode_map(const msgpack_object *object, struct event *event, struct error *error)
{
    if (object->type != MSGPACK_OBJECT_MAP)
        return error_set(error, "an event is a msgpack map, and this is not one");
    if (take_head(&object->via.map, event, error))
        return -1;
    if (event->kind == EVENT_KIND_COUNT)
        return EVENT_UNKNOWN;
    if (take_fields(&object->via.map, event, error)) {
        event_done(event);
        return -1;
    }
    return EVENT_DECODED;
}

int event_decode(const void *bytes, size_t length, struct event *event, struct error *error)
{
    *event = (struct event){0};
    if (!well_formed(bytes, length))
        return error_set(error, "not a msgpack object");
    msgpack_zone zone;
    if (!msgpack_zone_init(&zone, ZONE))
        BUG("no memory for a msgpack object");
    msgpack_object object;
    size_t used = 0;
    int result;
    if (msgpack_unpack(bytes, length, &used, &zone, &object) == MSGPACK_UNPACK_SUCCESS)
        result = decode_map(&object, event, error);
    else
        result = error_set(error, "msgpack nested too deeply");
    msgpack_zone_destroy(&zone);
    return result;
}
