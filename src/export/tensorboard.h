/*
 * tensorboard.h - the curve of a network as an event file of TensorBoard.
 *
 * The file is a sequence of TFRecords: length, masked CRC-32C of the length, a message, masked CRC-32C of the message
 * (TensorFlow, record_writer.cc); the messages are those of tensorboard.proto.  The first says the version; then each
 * epoch has one with the scalars loss/train, loss/validation, accuracy/train, accuracy/validation and rate, at the step of
 * its number.  Pure.
 */
#ifndef ESPALIER_EXPORT_TENSORBOARD_H
#define ESPALIER_EXPORT_TENSORBOARD_H

#include "sessions/state.h"

/* `times`: when each epoch of its curve ended, in seconds since 1970. */
void export_tensorboard(const struct session_node *node, const double *times, struct text *bytes);

#endif
