/*
 * cuda.c - finds the CUDA module and opens it, once.
 *
 * It is the file that ESPALIER_CUDA_MODULE names ("no" turns CUDA off), else the one beside the program, where a build
 * puts it, else the one in the package's library folder.  A module of another build is refused, because program and
 * module share structs.
 */
#include "config.h"

#include "device/cuda.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE "espalier-cuda.so"

static struct {
    pthread_once_t once;
    char path[PATH_MAX];
    const struct cuda_module *module;
    struct error reason;
} opened = {.once = PTHREAD_ONCE_INIT};

static bool find_module(void)
{
    const char *named = getenv("ESPALIER_CUDA_MODULE");
    if (named && *named) {
        snprintf(opened.path, sizeof opened.path, "%s", named);
        if (strcmp(named, "no") == 0)
            error_set(&opened.reason, "ESPALIER_CUDA_MODULE is \"no\"");
        else if (access(named, R_OK) == 0)
            return true;
        else
            error_set(&opened.reason, "%s, which ESPALIER_CUDA_MODULE names, can't be read", named);
        return false;
    }
    ssize_t length = readlink("/proc/self/exe", opened.path, sizeof opened.path - sizeof MODULE - 1);
    opened.path[length > 0 ? length : 0] = 0;
    char *slash = strrchr(opened.path, '/');
    if (slash)
        strcpy(slash + 1, MODULE);
    if (*opened.path && access(opened.path, R_OK) == 0)
        return true;
    snprintf(opened.path, sizeof opened.path, "%s/%s", ESPALIER_LIBRARY_FOLDER, MODULE);
    if (access(opened.path, R_OK) == 0)
        return true;
    error_set(&opened.reason, "this program is built without CUDA (no %s beside it or in %s)", MODULE,
              ESPALIER_LIBRARY_FOLDER);
    return false;
}

static void open_module(void)
{
    if (!find_module())
        return;
    void *library = dlopen(opened.path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        error_set(&opened.reason, "%s can't be loaded: %s", opened.path, dlerror());
        return;
    }
    const struct cuda_module *module = dlsym(library, "espalier_cuda_module");
    if (!module || strcmp(module->program, PACKAGE_STRING) != 0)
        error_set(&opened.reason, "%s is of %s, this is %s; build both together", opened.path,
                  module ? module->program : "another program", PACKAGE_STRING);
    else
        opened.module = module;
}

const struct cuda_module *cuda_module(struct error *error)
{
    pthread_once(&opened.once, open_module);
    if (!opened.module)
        error_set(error, "%s", opened.reason.text);
    return opened.module;
}

const char *cuda_module_path(void)
{
    pthread_once(&opened.once, open_module);
    return opened.path;
}
