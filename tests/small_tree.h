/*
 * small_tree.h - a hand-made session of eight trained networks: n1 has n2, n3, n4; n2 has n5; n3 has n6, n7; n7 has n8.
 */
#ifndef ESPALIER_TESTS_SMALL_TREE_H
#define ESPALIER_TESTS_SMALL_TREE_H

#include "tui/model.h"

/* model_done() it. */
struct model small_tree(void);

#endif
