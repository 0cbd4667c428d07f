/* networks.h - the networks whose speed is measured; bench/pytorch.py has them too. */
#ifndef ESPALIER_BENCH_NETWORKS_H
#define ESPALIER_BENCH_NETWORKS_H

static const struct subject {
    const char *name, *notation;
} subjects[] = {
    {"TINY", "C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) A(4,4) FC(8) SM(10)"},
    {"SMALL", "C(16,3,1) P(2,2) C(32,3,1) P(2,2) C(64,3,1) P(2,2) C(128,3,1) A(4,4) FC(256) SM(10)"},
    {"MID", "C(32,3,1) C(32,3,1) P(2,2) C(64,3,1) C(64,3,1) P(2,2) C(128,3,1) C(128,3,1) P(2,2) C(192,3,1) C(192,3,1) "
            "A(4,4) FC(256) SM(10)"},
    {"BIG",
     "C(64,3,1) C(64,3,1) C(64,3,1) C(64,3,1) P(2,2) C(128,3,1) C(128,3,1) C(128,3,1) C(128,3,1) P(2,2) "
     "C(256,3,1) C(256,3,1) C(256,3,1) C(256,3,1) P(2,2) C(256,3,1) C(256,3,1) C(256,3,1) A(4,4) FC(512) SM(10)"},
};

#endif
