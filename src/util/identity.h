/*
 * identity.h - which program this is: "espalier 0.1.0 (sources 3f2a91c0d4e7)".
 *
 * Its version and a hash of the sources that it was built from.  So two builds of one version can be told apart when
 * their sources differ, and builds of the same sources on two machines are one program.
 */
#ifndef ESPALIER_UTIL_IDENTITY_H
#define ESPALIER_UTIL_IDENTITY_H

extern const char identity[];

#endif
