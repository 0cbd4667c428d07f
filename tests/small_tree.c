/* small_tree.c - see small_tree.h. */
#include "small_tree.h"

struct model small_tree(void)
{
    static const struct {
        int parent;
        double accuracy;
        int64_t parameters;
        const char *action;
    } nodes[] = {
        {0, 0.80, 100, NULL},           {1, 0.82, 300, "widen:conv1:8"},  {1, 0.85, 200, "deepen:conv1:3"},
        {1, 0.81, 250, "widen:fc1:16"}, {2, 0.83, 350, "deepen:conv1:5"}, {3, 0.84, 320, "widen:conv1:8"},
        {3, 0.86, 310, "widen:fc1:16"}, {7, 0.87, 400, "deepen:fc1"},
    };
    struct model model;
    model_init(&model, MODE_LIVE, "small");
    struct event event = {.number = 1, .kind = EVENT_SESSION};
    event.as.session.format = EVENT_FORMAT;
    event.as.session.input = event_text("1,28,28");
    model_apply(&model, &event);
    event_done(&event);
    for (int i = 0; i < 8; i++) {
        event = (struct event){.number = 2 + 3 * i, .time = 10 * i, .kind = EVENT_NODE};
        struct event_proposal *node = &event.as.node;
        node->node = i + 1;
        node->parent = nodes[i].parent;
        node->by = author_of(i == 5 ? "user" : "random");
        node->arch = event_text("C(4,3,1) A(28,28) FC(8) SM(10)");
        node->parameters = nodes[i].parameters;
        if (nodes[i].action) {
            event_texts_add(&node->actions, nodes[i].action);
            event_integers_add(&node->steps, 0);
            event_reals_add(&node->probabilities, 1);
        }
        model_apply(&model, &event);
        event_done(&event);
        event = (struct event){.number = 3 + 3 * i, .time = 10 * i, .kind = EVENT_STARTED};
        event.as.started =
            (struct event_started){.node = i + 1, .device = event_text("cpu:0"), .attempt = 1, .epochs = 1};
        model_apply(&model, &event);
        event_done(&event);
        event = (struct event){.number = 4 + 3 * i, .time = 10 * i + 5, .kind = EVENT_RESULT};
        event.as.result = (struct event_result){.node = i + 1,
                                                .accuracy = nodes[i].accuracy,
                                                .epochs = 1,
                                                .weights = event_text("w"),
                                                .weights_hash = event_text("%032d", i)};
        model_apply(&model, &event);
        event_done(&event);
    }
    return model;
}
