/*
 * pytorch.h - a trained network as a PyTorch module: one Python file that a person can read, beside its weights.
 *
 * The module has no part of this program and needs PyTorch alone.  It takes pixels from 0 to 255, normalises them
 * itself and returns logits.  `load()` reads the weights from the safetensors file, also another of the same
 * architecture.
 */
#ifndef ESPALIER_EXPORT_PYTORCH_H
#define ESPALIER_EXPORT_PYTORCH_H

#include "data/facts.h"
#include "util/text.h"

/* Add the file's text.  `weights_file` is the name, without a folder, of the safetensors file that load() takes by
   default.  Asserts that arch_shapes accepts the pair; the facts are known. */
void export_pytorch(const struct arch *arch, struct shape input, const struct data_facts *facts,
                    const char *weights_file, struct text *text);

#endif
