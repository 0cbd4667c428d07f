/*
 * device_rows.h - the rows of the devices' pane: the devices that are there or were lost or, once some are of other
 * machines, the hosts with theirs.
 *
 * A function of the model: rows in order, hosts by name.  A host is folded to one row where there are many devices, and
 * a person folds and unfolds it.
 */
#ifndef ESPALIER_TUI_DEVICE_ROWS_H
#define ESPALIER_TUI_DEVICE_ROWS_H

#include "tui/model.h"

struct device_row {
    int device;         /* index of state->devices, or -1: a host */
    const char *host;   /* the state's; "": this machine */
    /* Of a host: */
    bool folded;
    int trainers, busy, lost; /* that are there; in training; that were lost */
    double rate;              /* images a second, of all that train */
    double utilisation;       /* mean; negative: not known */
};

struct device_rows {
    struct device_row *items;
    int count;
    bool by_host;
};

struct device_rows device_rows_new(const struct model *model); /* device_rows_done() it */
void device_rows_done(struct device_rows *rows);
/* All hosts in one row. */
struct device_row device_rows_sum(const struct model *model);
/* Fold a host that is unfolded, and back. */
void device_rows_toggle(struct devices_view *devices, const char *host);

#endif
