#include "config/prompts.h"
#include "tap.h"

static void test_all_kinds(void)
{
    struct vsm_prompts p;

    CHECK_INT(vsm_prompts_parse(
                  " 0 left 1 box 10 20.5 30 40;12 right 2 points +1,2 -3.5,4 ; 7 both 999 mask a b.png ;;"
                  "1000000 both 1 remove",
                  &p),
              VSM_OK);
    CHECK_INT(p.count, 4);
    CHECK(p.items[0].kind == VSM_PROMPT_BOX && p.items[0].frame == 0 && p.items[0].person == 1);
    CHECK(p.items[0].eye[0] && !p.items[0].eye[1]);
    CHECK(p.items[0].box[0] == 10 && p.items[0].box[1] == 20.5 && p.items[0].box[3] == 40);
    CHECK(p.items[1].kind == VSM_PROMPT_POINTS && p.items[1].point_count == 2 && p.items[1].eye[1]);
    CHECK(p.items[1].points[0].on_person && !p.items[1].points[1].on_person && p.items[1].points[1].x == 3.5);
    CHECK(p.items[2].kind == VSM_PROMPT_MASK && p.items[2].eye[0] && p.items[2].eye[1]);
    CHECK_STR(p.items[2].path, "a b.png");
    CHECK(p.items[3].kind == VSM_PROMPT_REMOVE && p.items[3].frame == 1000000 && p.items[3].number == 4);
    vsm_prompts_finish(&p);
    CHECK_INT(vsm_prompts_parse(NULL, &p), VSM_OK);
    CHECK_INT(p.count, 0);
    CHECK_INT(vsm_prompts_parse(" ", &p), VSM_OK);
    CHECK_INT(p.count, 0);
}

static void test_refused(void)
{
    static const struct {
        const char *text, *message;
    } wrong[] = {
        {"x left 1 remove", "no number of a frame"},
        {"-1 left 1 remove", "no number of a frame"},
        {"1.5 left 1 remove", "no number of a frame"},
        {"99999999999999999999 left 1 remove", "no number of a frame"},
        {"0", "where the eye should be"},
        {"0 middle 1 remove", "\"middle\" is no eye"},
        {"0 left 0 remove", "no person"},
        {"0 left 1000 remove", "no person"},
        {"0 left anna remove", "no person"},
        {"0 left 1", "is no prompt"},
        {"0 left 1 box 1 2 3", "LEFT TOP RIGHT BOTTOM"},
        {"0 left 1 box 1 2 3 x", "LEFT TOP RIGHT BOTTOM"},
        {"0 left 1 box 1 2 3 -4", "LEFT TOP RIGHT BOTTOM"},
        {"0 left 1 box 1 2 3 1e2", "LEFT TOP RIGHT BOTTOM"},
        {"0 left 1 box 5 2 5 9", "is empty"},
        {"0 left 1 box 1 2 3 4 5", "separate prompts by ;"},
        {"0 left 1 points", "at least one"},
        {"0 left 1 points -1,2", "at least one"},
        {"0 left 1 points 1,2", "is no point"},
        {"0 left 1 points +1;0 left 1 points +1,2", "is no point"},
        {"0 left 1 points +1,nan", "is no point"},
        {"0 left 1 points +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 +1,1 "
         "+1,1",
         "16 are the most"},
        {"0 left 1 mask ", "without a file"},
        {"0 left 1 remove; 0 left 1 remove now", "prompt 2: \"now\""},
    };
    struct vsm_prompts p;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK_INT(vsm_prompts_parse(wrong[i].text, &p), VSM_E_USAGE);
        CHECK_HAS(vsm_error_message(), wrong[i].message);
        CHECK(p.count == 0 && !p.items);
    }
}

int main(void)
{
    RUN(test_all_kinds);
    RUN(test_refused);
    return tap_done();
}
