/* checkpoints.c - see checkpoints.h. */
#include "search/checkpoints.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "search/checkpoint.h"
#include "sessions/frame.h"
#include "sessions/session_file.h"
#include "util/memory.h"

static const char place[] = CHECKPOINTS_PLACE, ending[] = ".safetensors";
static const size_t file_max = (size_t)3 << 30;

char *trial_settings(const struct trial *trial)
{
    const struct training *training = &trial->training;
    struct text text = TEXT_EMPTY;
    char hash[HASH_TEXT];
    arch_print(&trial->arch, &text);
    text_add(&text, " from %s by", trial->from_scratch ? "scratch" : hash_print(trial->parent_hash, hash));
    struct arch arch = trial->parent_arch, next;
    for (int i = 0; i < trial->proposal.count; i++) {
        text_add(&text, " ");
        action_print(&arch, &trial->proposal.actions[i].action, &text);
        if (!action_apply(&arch, &trial->proposal.actions[i].action, &next, NULL))
            arch = next;
    }
    text_add(&text, " split %d noise %a %a, ", (int)trial->morph.split, (double)trial->morph.widen_noise,
             (double)trial->morph.deepen_noise);
    text_add(&text, "%d epochs of batch %d, rate %a steady %a average %a momentum %a decay %a bn %a dropout %a %a %a, ",
             training->epochs, training->batch, (double)training->rate, (double)training->steady,
             (double)training->average, (double)training->momentum, (double)training->weight_decay,
             (double)training->bn_decay, (double)training->drop_pool, (double)training->drop_fc,
             (double)training->drop_dense);
    text_add(&text, "mixup %a, %s, ", (double)training->mixup,
             trial->precision == PRECISION_BF16   ? "bf16"
             : trial->precision == PRECISION_AUTO ? "auto"
                                                  : "f32");
    text_add(&text, "%s seed %" PRIu64 " node %u", training->augment ? "augmented" : "plain", training->seed,
             training->node);
    return text_take(&text);
}

static char *path_of(const struct journal *journal, int64_t node)
{
    char *name = event_text("n%" PRId64 "%s", node, ending), *path = journal_path(journal, place, name);
    free(name);
    return path;
}

struct checkpoint *checkpoints_find(const struct journal *journal, const struct trial *trial, struct shape input)
{
    const struct session_node *node = session_node(journal->state, trial->node);
    char *path = path_of(journal, trial->node), *settings;
    struct checkpoint *checkpoint = NULL;
    struct error error;
    void *bytes;
    size_t length;
    if (session_file_exists(path, IN_PLACE) && !session_file_read(path, IN_PLACE, file_max, &bytes, &length, &error)) {
        struct weights *weights = weights_new(&trial->arch, input);
        settings = trial_settings(trial);
        checkpoint = memory_new(1, sizeof *checkpoint);
        checkpoint_init(checkpoint, NULL, weights, (double)trial->training.average, settings);
        if (checkpoint_decode(checkpoint, bytes, length, &error) || checkpoint->epochs > node->curve_count ||
            node->epochs != trial->training.epochs || checkpoint->epochs >= trial->training.epochs) {
            checkpoint_free(checkpoint);
            checkpoint = NULL;
        }
        weights_free(weights);
        free(settings);
        free(bytes);
    }
    free(path);
    return checkpoint;
}

void checkpoints_write(const struct journal *journal, int64_t node, const void *bytes, size_t length)
{
    struct error error;
    char *path = path_of(journal, node), *folder = event_text("%.*s", (int)(strrchr(path, '/') - path), path);
    if (!session_place_make(folder, &error))
        session_file_write(path, IN_PLACE, bytes, length, &error);
    free(folder);
    free(path);
}

void checkpoints_remove(const struct journal *journal, int64_t node)
{
    char *path = path_of(journal, node);
    session_file_remove(path, IN_PLACE);
    free(path);
}

/* Is it the name of the checkpoint of a network that waits for training? */
static bool is_wanted(const struct journal *journal, const char *name)
{
    size_t length = strlen(name);
    int64_t number;
    char digits[24] = "";
    if (name[0] != 'n' || length <= strlen(ending) || length > sizeof digits + strlen(ending) - 1 ||
        strcmp(name + length - strlen(ending), ending) != 0)
        return false;
    memcpy(digits, name + 1, length - 1 - strlen(ending));
    const struct session_node *node =
        text_to_integer(digits, 1, INT64_MAX, &number) ? NULL : session_node(journal->state, number);
    return node && node_is_pending(node);
}

void checkpoints_tidy(const struct journal *journal)
{
    struct error error;
    char *path = event_text("%s/%s", log_folder(journal->log), place);
    int folder = session_place_open(path, &error);
    DIR *directory = folder < 0 ? NULL : fdopendir(folder);
    if (directory) {
        for (struct dirent *entry; (entry = readdir(directory));)
            if (entry->d_name[0] != '.' && !is_wanted(journal, entry->d_name))
                unlinkat(folder, entry->d_name, 0);
        closedir(directory);
    } else if (folder >= 0) {
        close(folder);
    }
    free(path);
}
