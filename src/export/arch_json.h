/*
 * arch_json.h - an architecture as a JSON document: its layers, what each computes, and what their weights are called.
 */
#ifndef ESPALIER_EXPORT_ARCH_JSON_H
#define ESPALIER_EXPORT_ARCH_JSON_H

#include "data/facts.h"
#include "util/text.h"

/* Add the document.  Facts that are unknown are left out.  Asserts that arch_shapes accepts the pair. */
void export_arch_json(const struct arch *arch, struct shape input, const struct data_facts *facts, struct text *text);

#endif
