#include "tools/truth_scenes.h"

#include <stddef.h>
#include <string.h>

#define HALL    "plates_vr180/crop180_dolphins_020_SBS_4096x2048.jpg"
#define DIORAMA "plates_vr180/crop180_dolphins_180_SBS_4096x2048.jpg"
#define STAIRS  "plates_vr180/crop180_whale-right_060_SBS_4096x2048.jpg"
#define GALLERY "plates_vr180/crop180_whale-right_230_SBS_4096x2048.jpg"

static const struct vsm_truth_scenes_scene scenes[] = {
    {"portrait-near", DIORAMA, {{"curly", -4, 4, 0.5, 0.6}}, 0.0, 1.0, false, 0.5},
    {"portrait-1m", GALLERY, {{"officer", 8, -6, 1.0, 0.9}}, 0.0, 1.0, false, 0.5},
    {"portrait-tilted", STAIRS, {{"knight", 0, 12, 0.8, 1.1}}, 0.3, 1.0, false, 1.0},
    {"portrait-off-axis", HALL, {{"curly", 42, 36, 0.7, 0.8}}, 0.0, 0.9, false, 0.5},
    {"walker-2m", HALL, {{"hiker", -25, 25, 2.0, 2.0}}, 0.0, 1.0, false, 0.5},
    {"walker-4m", GALLERY, {{"hiker", 20, -10, 4.0, 4.0}}, 0.0, 1.0, false, 0.5},
    {"walker-coming", STAIRS, {{"hiker", -10, 4, 4.0, 1.5}}, 0.0, 1.0, false, 0.5},
    {"skater-near", HALL, {{"skater", -30, 20, 1.5, 1.2}}, 0.2, 1.0, false, 0.5},
    {"skater-leaving", DIORAMA, {{"skater", 10, 110, 1.8, 1.8}}, 0.0, 1.0, false, 0.5},
    {"player-entering", GALLERY, {{"player", -115, -15, 2.2, 2.0}}, 0.0, 1.0, false, 0.5},
    {"player-dark-eye", HALL, {{"player", -5, 10, 2.5, 2.0}}, 0.0, 0.8, false, 1.5},
    {"standing-swapped", STAIRS, {{"woman", -6, -4, 1.4, 1.4}}, 0.0, 1.0, true, 0.5},
    {"two-side-by-side",
     HALL,
     {{"woman", -18, -16, 1.6, 1.6}, {"manager", 16, 14, 2.2, 2.2}},
     0.0,
     1.0,
     false,
     0.5},
    {"two-crossing",
     GALLERY,
     {{"hiker", -22, 24, 2.6, 2.6}, {"skater", 22, -24, 1.6, 1.6}},
     0.0,
     1.0,
     false,
     0.5},
    {"two-crossing-tilted",
     STAIRS,
     {{"player", -20, 20, 1.8, 1.8}, {"hiker", 20, -18, 3.2, 3.2}},
     -0.4,
     1.1,
     false,
     1.0},
    {"two-near-and-far",
     DIORAMA,
     {{"officer", -14, -10, 0.8, 0.8}, {"woman", 20, 16, 4.0, 4.0}},
     0.0,
     1.0,
     false,
     0.5},
    {"two-swapped",
     HALL,
     {{"manager", -16, -12, 2.0, 1.6}, {"woman", 14, 18, 1.5, 1.5}},
     0.2,
     1.0,
     true,
     1.0},
    {"enter-and-leave",
     GALLERY,
     {{"skater", -110, 0, 1.6, 1.8}, {"hiker", 15, 112, 2.4, 2.2}},
     0.0,
     1.0,
     false,
     0.5},
    {"three-in-a-row",
     STAIRS,
     {{"manager", -30, -28, 2.4, 2.4}, {"hiker", 0, 6, 1.7, 1.7}, {"woman", 30, 27, 3.0, 3.0}},
     0.0,
     1.0,
     false,
     0.5},
    {"three-crossing",
     HALL,
     {{"hiker", -30, 30, 3.6, 3.6}, {"player", 28, -26, 2.4, 2.4}, {"curly", -6, 8, 0.9, 0.8}},
     0.5,
     0.85,
     false,
     2.0},
};

const struct vsm_truth_scenes_scene *vsm_truth_scenes_get(int number)
{
    return number >= 0 && number < (int)(sizeof(scenes) / sizeof(scenes[0])) ? &scenes[number] : NULL;
}

const struct vsm_truth_scenes_scene *vsm_truth_scenes_find(const char *name)
{
    for (int i = 0; vsm_truth_scenes_get(i); i++) {
        if (strcmp(scenes[i].name, name) == 0)
            return &scenes[i];
    }
    return NULL;
}
