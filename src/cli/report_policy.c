/* report_policy.c - the heat map of the screens as lines of text: what the policy proposed, and what that gained. */
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "sessions/policy_map.h"
#include "util/memory.h"
#include "util/print.h"

enum { COLUMNS_MOST = 8 };

static int commonest_first(const void *left, const void *right)
{
    const struct policy_choice *a = *(const struct policy_choice *const *)left;
    const struct policy_choice *b = *(const struct policy_choice *const *)right;
    if (a->proposals != b->proposals)
        return a->proposals > b->proposals ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* For each choice and column: the proposals that have it; in the last row all proposals. */
static int64_t *count_cells(const struct policy_map *map, int each)
{
    int64_t *cells = memory_new((POLICY_CHOICES_MAX + 1) * COLUMNS_MOST, sizeof *cells);
    size_t first = 0;
    for (int64_t i = 0; i < map->count; first = map->proposals[i++].end) {
        int column = map->proposals[i].column / each;
        cells[POLICY_CHOICES_MAX * COLUMNS_MOST + column]++;
        for (size_t j = first; j < map->proposals[i].end; j++)
            cells[map->chosen[j] * COLUMNS_MOST + column]++;
    }
    return cells;
}

static void print_heading(FILE *out, const struct policy_map *map, int each)
{
    print_to(out, "%-18s", "% of proposals in");
    for (int i = 0; i < map->column_count; i += each) {
        int last = i + each < map->column_count ? i + each - 1 : map->column_count - 1;
        char episodes[48];
        snprintf(episodes, sizeof episodes, last > i ? "%lld-%lld" : "%lld", (long long)map->columns[i].episode,
                 (long long)map->columns[last].episode);
        print_to(out, " %7s", episodes);
    }
    print_to(out, " %8s %8s\n", "gain", "networks");
}

static void print_choice(FILE *out, const struct policy_choice *choice, const int64_t *counts, const int64_t *proposals,
                         int columns)
{
    print_to(out, "%-18s", choice->name);
    for (int i = 0; i < columns; i++)
        print_to(out, " %7.0f", 100 * (double)counts[i] / (double)proposals[i]);
    if (choice->networks)
        print_to(out, " %+8.2f", 100 * choice->gain);
    else
        print_to(out, " %8s", "");
    print_to(out, " %8lld\n", (long long)choice->networks);
}

void report_policy(FILE *out, const struct session_state *state)
{
    struct policy_map map = {0};
    struct text words = TEXT_EMPTY;
    const struct policy_choice *order[POLICY_CHOICES_MAX];
    policy_map_update(&map, state);
    if (policy_has_collapsed(state, &words))
        print_to(out, "%s\n", text_string(&words));
    text_done(&words);
    if (!map.count) {
        print_to(out, "the policy has proposed nothing\n");
        return;
    }
    int each = (map.column_count + COLUMNS_MOST - 1) / COLUMNS_MOST, columns = (map.column_count + each - 1) / each;
    int64_t *cells = count_cells(&map, each);
    for (int i = 0; i < map.choice_count; i++)
        order[i] = &map.choices[i];
    qsort(order, (size_t)map.choice_count, sizeof *order, commonest_first);
    print_heading(out, &map, each);
    for (int i = 0; i < map.choice_count; i++)
        print_choice(out, order[i], cells + (order[i] - map.choices) * COLUMNS_MOST,
                     cells + POLICY_CHOICES_MAX * COLUMNS_MOST, columns);
    free(cells);
    policy_map_done(&map);
}
