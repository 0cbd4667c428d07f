/*
 * wire.c - tables of fields, each written and read by its type.
 *
 * A field is a member of a struct; a table lists those of one struct that travel.  Architectures and actions travel as
 * the texts that the log has of them.
 */
#include "farm/wire.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"
#include "util/print.h"

enum field_type { FIELD_BOOL, FIELD_INT, FIELD_INT64, FIELD_UINT32, FIELD_UINT64, FIELD_FLOAT, FIELD_REAL };

struct field {
    const char *name;
    enum field_type type;
    size_t offset;
};
#define FIELD(structure, type, member)                                                                                 \
    {                                                                                                                  \
#member, type, offsetof(struct structure, member)                                                              \
    }

static const struct field trial_fields[] = {
    FIELD(trial, FIELD_INT64, node),
    FIELD(trial, FIELD_BOOL, from_scratch),
    FIELD(trial, FIELD_BOOL, test),
    FIELD(trial, FIELD_BOOL, may_stop),
    FIELD(trial, FIELD_BOOL, has_checkpoint),
    FIELD(trial, FIELD_REAL, seconds_most),
    FIELD(trial, FIELD_REAL, seconds_before),
    FIELD(trial, FIELD_INT, morph.split),
    FIELD(trial, FIELD_FLOAT, morph.widen_noise),
    FIELD(trial, FIELD_FLOAT, morph.deepen_noise),
    FIELD(trial, FIELD_INT, precision),
    FIELD(trial, FIELD_INT, training.epochs),
    FIELD(trial, FIELD_INT, training.batch),
    FIELD(trial, FIELD_FLOAT, training.rate),
    FIELD(trial, FIELD_FLOAT, training.steady),
    FIELD(trial, FIELD_FLOAT, training.average),
    FIELD(trial, FIELD_BOOL, training.from_scratch),
    FIELD(trial, FIELD_FLOAT, training.momentum),
    FIELD(trial, FIELD_FLOAT, training.weight_decay),
    FIELD(trial, FIELD_FLOAT, training.bn_decay),
    FIELD(trial, FIELD_FLOAT, training.drop_pool),
    FIELD(trial, FIELD_FLOAT, training.drop_fc),
    FIELD(trial, FIELD_FLOAT, training.drop_dense),
    FIELD(trial, FIELD_BOOL, training.augment),
    FIELD(trial, FIELD_FLOAT, training.mixup),
    FIELD(trial, FIELD_UINT64, training.seed),
    FIELD(trial, FIELD_UINT32, training.node),
    {0},
};

static const struct field step_fields[] = {
    FIELD(report, FIELD_INT, step.epoch),
    FIELD(report, FIELD_INT, step.step),
    FIELD(report, FIELD_INT, step.steps),
    FIELD(report, FIELD_REAL, step.loss),
    FIELD(report, FIELD_REAL, step.images_per_second),
    {0},
};

static const struct field epoch_fields[] = {
    FIELD(report, FIELD_INT, epoch.epoch),
    FIELD(report, FIELD_INT, epoch.epochs),
    FIELD(report, FIELD_REAL, epoch.rate),
    FIELD(report, FIELD_REAL, epoch.train_loss),
    FIELD(report, FIELD_REAL, epoch.train_accuracy),
    FIELD(report, FIELD_REAL, epoch.validation_loss),
    FIELD(report, FIELD_REAL, epoch.validation_accuracy),
    FIELD(report, FIELD_REAL, epoch.seconds),
    FIELD(report, FIELD_REAL, epoch.images_per_second),
    {0},
};

static const struct field result_fields[] = {
    FIELD(report, FIELD_REAL, result.loss),
    FIELD(report, FIELD_REAL, result.accuracy),
    FIELD(report, FIELD_INT, result.count),
    FIELD(report, FIELD_REAL, test.loss),
    FIELD(report, FIELD_REAL, test.accuracy),
    FIELD(report, FIELD_INT, test.count),
    FIELD(report, FIELD_REAL, seconds),
    FIELD(report, FIELD_REAL, images_per_second),
    {0},
};

static const struct field health_fields[] = {
    FIELD(layer_health, FIELD_REAL, weight_norm),
    FIELD(layer_health, FIELD_REAL, gradient_norm),
    FIELD(layer_health, FIELD_REAL, dead),
    FIELD(layer_health, FIELD_REAL, fresh),
    {0},
};

static const struct field sample_fields[] = {
    FIELD(report, FIELD_UINT32, sample.valid),     FIELD(report, FIELD_REAL, sample.utilisation),
    FIELD(report, FIELD_REAL, sample.memory_used), FIELD(report, FIELD_REAL, sample.memory_total),
    FIELD(report, FIELD_REAL, sample.temperature), FIELD(report, FIELD_REAL, sample.power),
    FIELD(report, FIELD_REAL, sample.clock),       {0},
};

static const struct field failure_fields[] = {FIELD(report, FIELD_INT, failure), {0}};
static const struct field no_fields[] = {{0}};

static const struct {
    const char *word;
    const struct field *fields;
} kinds[] = {
    [REPORT_STEP] = {"step", step_fields},           [REPORT_EPOCH] = {"epoch", epoch_fields},
    [REPORT_CHECKPOINT] = {"checkpoint", no_fields}, [REPORT_RESULT] = {"result", result_fields},
    [REPORT_FAILED] = {"failed", failure_fields},    [REPORT_CANCELLED] = {"cancelled", no_fields},
    [REPORT_SAMPLE] = {"sample", sample_fields},
};

/* --- fields --- */

static json_t *write_real(double value)
{
    return isfinite(value) ? json_real(value) : json_string(isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

static json_t *write_field(const struct field *field, const void *base)
{
    const void *at = (const char *)base + field->offset;
    switch (field->type) {
    case FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    case FIELD_INT:
        return json_integer(*(const int *)at);
    case FIELD_INT64:
        return json_integer(*(const int64_t *)at);
    case FIELD_UINT32:
        return json_integer(*(const uint32_t *)at);
    case FIELD_UINT64: /* JSON has no unsigned integers: the same bits */
        return json_integer((int64_t) * (const uint64_t *)at);
    case FIELD_FLOAT:
        return write_real((double)*(const float *)at);
    case FIELD_REAL:
        return write_real(*(const double *)at);
    }
    BUG("a field without a type");
}

static void write_fields(json_t *object, const struct field *fields, const void *base)
{
    for (; fields->name; fields++)
        json_object_set_new(object, fields->name, write_field(fields, base));
}

static int read_real(const json_t *value, double *real)
{
    const char *word = json_string_value(value);
    if (json_is_number(value))
        *real = json_number_value(value);
    else if (word && !strcmp(word, "nan"))
        *real = (double)NAN;
    else if (word && (!strcmp(word, "inf") || !strcmp(word, "-inf")))
        *real = *word == '-' ? -(double)INFINITY : (double)INFINITY;
    else
        return -1;
    return 0;
}

static int read_field(const struct field *field, const json_t *value, void *base)
{
    void *at = (char *)base + field->offset;
    bool is_whole = json_is_integer(value);
    int64_t whole = is_whole ? json_integer_value(value) : 0;
    double real;
    switch (field->type) {
    case FIELD_BOOL:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value) ? 0 : -1;
    case FIELD_INT:
        *(int *)at = (int)whole;
        return is_whole && whole >= INT32_MIN && whole <= INT32_MAX ? 0 : -1;
    case FIELD_INT64:
        *(int64_t *)at = whole;
        return is_whole ? 0 : -1;
    case FIELD_UINT32:
        *(uint32_t *)at = (uint32_t)whole;
        return is_whole && whole >= 0 && whole <= UINT32_MAX ? 0 : -1;
    case FIELD_UINT64:
        *(uint64_t *)at = (uint64_t)whole;
        return is_whole ? 0 : -1;
    case FIELD_FLOAT:
        if (read_real(value, &real))
            return -1;
        *(float *)at = (float)real;
        return 0;
    case FIELD_REAL:
        return read_real(value, at);
    }
    BUG("a field without a type");
}

static int read_fields(const json_t *object, const struct field *fields, void *base, struct error *error)
{
    for (; fields->name; fields++)
        if (read_field(fields, json_object_get(object, fields->name), base))
            return error_set(error, "a message of the farm lacks %s, or has no sense there", fields->name);
    return 0;
}

static char *print(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(object);
    ASSERT(text);
    return text;
}

static json_t *parse(const char *text, struct error *error)
{
    json_error_t trouble;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &trouble);
    if (!json_is_object(object)) {
        error_set(error, "a message of the farm is damaged (%s)", object ? "no object" : trouble.text);
        json_decref(object);
        return NULL;
    }
    return object;
}

/* --- trials --- */

static json_t *write_arch(const struct arch *arch)
{
    struct text text = TEXT_EMPTY;
    arch_print(arch, &text);
    json_t *value = json_string(text_string(&text));
    text_done(&text);
    return value;
}

/* The actions, each on the architecture that those before it leave. */
static json_t *write_actions(const struct trial *trial)
{
    json_t *list = json_array();
    struct arch arch = trial->parent_arch, next;
    for (int i = 0; i < trial->proposal.count; i++) {
        const struct action *action = &trial->proposal.actions[i].action;
        struct text text = TEXT_EMPTY;
        action_print(&arch, action, &text);
        json_array_append_new(list, json_string(text_string(&text)));
        text_done(&text);
        if (action_apply(&arch, action, &next, NULL))
            BUG("a trial with an action that can't be applied");
        arch = next;
    }
    return list;
}

char *wire_write_trial(const struct trial *trial)
{
    char hash[HASH_TEXT];
    json_t *object = json_object();
    write_fields(object, trial_fields, trial);
    json_object_set_new(object, "arch", write_arch(&trial->arch));
    if (!trial->from_scratch) {
        json_object_set_new(object, "parent", json_string(hash_print(trial->parent_hash, hash)));
        json_object_set_new(object, "parent-arch", write_arch(&trial->parent_arch));
        json_object_set_new(object, "actions", write_actions(trial));
    }
    return print(object);
}

static int read_arch(const json_t *object, const char *name, struct arch *arch, struct error *error)
{
    const char *text = json_string_value(json_object_get(object, name));
    return arch_parse(arch, text ? text : "", error) ? error_prefix(error, "a trial of the farm: %s", name) : 0;
}

static int read_actions(const json_t *list, struct trial *trial, struct error *error)
{
    struct arch arch = trial->parent_arch, next;
    size_t count = json_array_size(list);
    if (count > PROPOSAL_ACTIONS_MAX)
        return error_set(error, "a trial of the farm has %zu actions", count);
    for (size_t i = 0; i < count; i++) {
        struct action *action = &trial->proposal.actions[trial->proposal.count++].action;
        const char *text = json_string_value(json_array_get(list, i));
        if (action_parse(&arch, text ? text : "", action, error) || action_apply(&arch, action, &next, error))
            return -1;
        arch = next;
    }
    return arch_equal(&arch, &trial->arch)
               ? 0
               : error_set(error, "a trial of the farm has actions that lead to another network");
}

static int read_trial(const json_t *object, struct trial *trial, struct error *error)
{
    const char *hash = json_string_value(json_object_get(object, "parent"));
    if (read_fields(object, trial_fields, trial, error) || read_arch(object, "arch", &trial->arch, error))
        return -1;
    if (trial->training.epochs < 0 || trial->training.batch < 1 || trial->node < 1)
        return error_set(error, "a trial of the farm has %d epochs, batches of %d", trial->training.epochs,
                         trial->training.batch);
    if (trial->from_scratch)
        return 0;
    trial->parent_hash = hash_scan(hash ? hash : "");
    return read_arch(object, "parent-arch", &trial->parent_arch, error) ||
                   read_actions(json_object_get(object, "actions"), trial, error)
               ? -1
               : 0;
}

int wire_read_trial(const char *text, struct trial *trial, struct error *error)
{
    *trial = (struct trial){0};
    json_t *object = parse(text, error);
    int failed = object ? read_trial(object, trial, error) : -1;
    json_decref(object);
    return failed;
}

/* --- reports --- */

const char *wire_report_word(enum report_kind kind)
{
    ASSERT((size_t)kind < COUNT_OF(kinds) && kinds[kind].word);
    return kinds[kind].word;
}

int wire_report_kind(const char *word, enum report_kind *kind)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (kinds[i].word && !strcmp(kinds[i].word, word)) {
            *kind = (enum report_kind)i;
            return 0;
        }
    return -1;
}

/* A list of its measures for each layer. */
static json_t *write_health(const struct layer_health *health, int layers)
{
    json_t *list = json_array();
    for (int i = 0; i < layers; i++) {
        json_t *layer = json_object();
        write_fields(layer, health_fields, &health[i]);
        json_array_append_new(list, layer);
    }
    return list;
}

/* For as many layers as a network may have, since its weights come beside the text. */
static int read_health(const json_t *list, struct layer_health **health, struct error *error)
{
    size_t count = json_array_size(list);
    if (!list)
        return 0;
    if (count > ARCH_LAYERS_MAX)
        return error_set(error, "a report of the farm has the health of %zu layers", count);
    *health = memory_new(ARCH_LAYERS_MAX, sizeof **health);
    for (size_t i = 0; i < ARCH_LAYERS_MAX; i++) {
        (*health)[i] = (struct layer_health){NAN, NAN, NAN, NAN};
        if (i < count && read_fields(json_array_get(list, i), health_fields, &(*health)[i], error))
            return -1;
    }
    return 0;
}

char *wire_write_report(const struct report *report)
{
    json_t *object = json_object();
    write_fields(object, kinds[report->kind].fields, report);
    if (report->health && report->weights)
        json_object_set_new(object, "health", write_health(report->health, report->weights->arch.layer_count));
    if (report->message) { /* as UTF-8 */
        struct text visible = TEXT_EMPTY;
        print_add(&visible, report->message);
        json_object_set_new(object, "message", json_string(text_string(&visible)));
        text_done(&visible);
    }
    return print(object);
}

int wire_read_report(const char *text, enum report_kind kind, struct report *report, struct error *error)
{
    json_t *object = parse(text, error);
    if (!object)
        return -1;
    const char *message = json_string_value(json_object_get(object, "message"));
    report->kind = kind;
    int failed = read_fields(object, kinds[kind].fields, report, error);
    if (!failed && kind == REPORT_FAILED && (report->failure <= FAILURE_UNKNOWN || report->failure > FAILURE_TIME))
        failed = error_set(error, "a report of the farm has a failure that this program doesn't know");
    if (!failed && kind == REPORT_RESULT)
        failed = read_health(json_object_get(object, "health"), &report->health, error);
    if (!failed && message)
        report->message = memory_copy_text(message);
    json_decref(object);
    return failed;
}

/* --- checksums --- */

char *wire_write_sums(struct hash images, struct hash test)
{
    char sum[HASH_TEXT];
    struct text text = TEXT_EMPTY;
    text_add(&text, "%s", hash_print(images, sum));
    if (test.high || test.low)
        text_add(&text, " (test images: %s)", hash_print(test, sum));
    return text_take(&text);
}

bool wire_sums_fit(const char *search, const char *here)
{
    return !strncmp(search, here, strlen(search));
}
