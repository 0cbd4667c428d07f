/* mistakes.c - see mistakes.h. */
#include "tui/mistakes.h"

#include <stddef.h>
#include <stdlib.h>

struct mistakes_size mistakes_fit(int width, int height)
{
    double longest = width > height ? width : height;
    double scale = longest > MISTAKES_SIDE_MAX ? MISTAKES_SIDE_MAX / longest : 1;
    struct mistakes_size size = {(int)(width * scale + 0.5), (int)(height * scale + 0.5)};
    return (struct mistakes_size){size.width ? size.width : 1, size.height ? size.height : 1};
}

const char *mistakes_class(const struct mistakes *mistakes, int class)
{
    return class < 0 || class >= mistakes->classes ? "nothing" : mistakes->class_names[class];
}

int mistakes_in_class(const struct mistakes *mistakes, int class)
{
    int count = 0;
    for (int taken = 0; taken < mistakes->classes; taken++)
        count += mistakes->confusion[(size_t) class * (size_t)mistakes->classes + (size_t)taken];
    return count;
}

void mistakes_done(struct mistakes *mistakes)
{
    for (int i = 0; i < mistakes->classes && mistakes->class_names; i++)
        free(mistakes->class_names[i]);
    for (int i = 0; i < mistakes->worst_count; i++)
        free(mistakes->worst[i].pixels);
    for (int i = 0; i < mistakes->sample_count; i++)
        free(mistakes->samples[i].pixels);
    free(mistakes->class_names);
    free(mistakes->confusion);
    free(mistakes->worst);
    free(mistakes->samples);
    *mistakes = (struct mistakes){.state = MISTAKES_FAILED};
}
