/* From matting.people to who is let through: rule, choice and gate. */
#include "config/people_rule.h"
#include "people/choice.h"
#include "people/gate.h"
#include "people/rivals.h"
#include "tap.h"

#include <stdlib.h>

#define W 320
#define H 240

static const struct vsm_rect eyes[2] = {{0, 0, 1000, 800}, {1000, 0, 1000, 800}};

static void test_rules(void)
{
    struct vsm_people_rule r;

    CHECK_INT(vsm_people_rule_parse("all", &r), VSM_OK);
    CHECK_INT(r.kind, VSM_PEOPLE_ALL);
    CHECK_INT(vsm_people_rule_parse("Largest", &r), VSM_OK);
    CHECK_INT(r.kind, VSM_PEOPLE_LARGEST);
    CHECK_INT(r.count, 1);
    CHECK_INT(vsm_people_rule_parse("3", &r), VSM_OK);
    CHECK_INT(r.count, 3);
    CHECK_INT(vsm_people_rule_parse("0.25, 0.5; right:10,20,30,40px;left:0,0,1,1", &r), VSM_OK);
    CHECK_INT(r.kind, VSM_PEOPLE_PLACES);
    CHECK_INT(r.count, 3);
    CHECK(r.place[0].point && !r.place[0].pixels && r.place[0].eye == VSM_LEFT);
    CHECK_NEAR(r.place[0].x, 0.25, 0);
    CHECK(!r.place[1].point && r.place[1].pixels && r.place[1].eye == VSM_RIGHT);
    CHECK_NEAR(r.place[1].height, 40, 0);
}

static void test_bad_rules(void)
{
    static const char *const bad[][2] = {
        {"", "neither all"},
        {"everybody", "neither all"},
        {"0", "from 1 to 16"},
        {"17", "from 1 to 16"},
        {"99999999999999999999", "1 to 16"},
        {"-1", "neither all"},
        {"0.1", "neither a point"},
        {"0.1,0.2,0.3", "neither a point"},
        {"0.1,0.2,0.3,0.4,0.5", "neither all"},
        {"0.5,1.2", "outside the eye"},
        {"0.5,0.5,0.6,0.1", "outside the eye"},
        {"0.5,0.5,0,0.1", "without size"},
        {"0.5,0.5;", "neither all"},
        {"centre:0.5,0.5", "neither all"},
        {"0.5,0.5pt", "neither all"},
        {"1e3,2px", "neither all"},
        {"nan,nan", "neither all"},
        {"70000,1px", "beyond"},
        {"0.1.2,0.3", "neither all"},
    };
    struct vsm_people_rule r;
    char many[64 * 8] = "0.1,0.1";

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_INT(vsm_people_rule_parse(bad[i][0], &r), VSM_E_USAGE);
        CHECK_HAS(vsm_error_message(), bad[i][1]);
    }
    for (int i = 0; i < VSM_PEOPLE_RULE_PLACES; i++)
        strcat(many, ";0.1,0.1");
    CHECK_INT(vsm_people_rule_parse(many, &r), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "too many");
    CHECK_INT(r.kind, VSM_PEOPLE_ALL);
}

/* People 1, 2, 3 in a row from the left, the middle one largest; in the right eye each 0.05 to the left. */
static void cast(struct vsm_people *people, struct vsm_roster *roster)
{
    *people = (struct vsm_people){.known = true, .detected = true, .count = 3};
    *roster = (struct vsm_roster){.last_id = 3, .count = 3};
    for (int i = 0; i < 3; i++) {
        const float x = 0.1f + 0.3f * (float)i, size = i == 1 ? 0.2f : i == 2 ? 0.15f : 0.1f;

        people->person[i].id = roster->person[i].id = i + 1;
        people->person[i].box[0] = (struct vsm_person_box){x, 0.5f - size, x + size, 0.5f + size};
        people->person[i].box[1] =
            (struct vsm_person_box){x - 0.05f, 0.5f - size, x + size - 0.05f, 0.5f + size};
    }
}

static int chosen(const char *text, struct vsm_people *people, struct vsm_roster *roster, bool *placed)
{
    struct vsm_people_rule rule;
    int set = 0;

    CHECK_INT(vsm_people_rule_parse(text, &rule), VSM_OK);
    vsm_choice_apply(&rule, eyes, people, roster, placed);
    for (int i = 0; i < roster->count; i++)
        set |= roster->person[i].chosen << roster->person[i].id;
    return set;
}

static int chosen_at_once(const char *text)
{
    struct vsm_people people;
    struct vsm_roster roster;
    bool placed = false;

    cast(&people, &roster);
    return chosen(text, &people, &roster, &placed);
}

static void test_choice(void)
{
    CHECK_INT(chosen_at_once("all"), 2 + 4 + 8);
    CHECK_INT(chosen_at_once("largest"), 4);
    CHECK_INT(chosen_at_once("2"), 4 + 8);
    CHECK_INT(chosen_at_once("9"), 2 + 4 + 8);
    CHECK_INT(chosen_at_once("0.15,0.5"), 2);
    CHECK_INT(chosen_at_once("150,400px"), 2);
    CHECK_INT(chosen_at_once("right:0.06,0.5"), 2);
    CHECK_INT(chosen_at_once("left:0.06,0.5"), 0);
    CHECK_INT(chosen_at_once("0.4,0.3,0.2,0.4;700,280,150,240px"), 4 + 8);
    CHECK_INT(chosen_at_once("0,0,1,1"), 0);
}

/* Places are looked up once a scene; the largest are made up to N when there is room. */
static void test_choice_over_time(void)
{
    struct vsm_people people, nobody = {.known = true};
    struct vsm_roster roster, empty = {0};
    bool placed = false;

    cast(&people, &roster);
    CHECK_INT(chosen("0.15,0.5", &nobody, &empty, &placed), 0);
    CHECK(!placed);
    CHECK_INT(chosen("0.15,0.5", &people, &roster, &placed), 2);
    CHECK(placed);
    roster.person[0].chosen = false;
    CHECK_INT(chosen("0.15,0.5", &people, &roster, &placed), 0);
    CHECK_INT(chosen("largest", &people, &roster, &placed), 4);
    people.person[0].box[0] = people.person[0].box[1] = (struct vsm_person_box){0.0f, 0.0f, 1.0f, 1.0f};
    CHECK_INT(chosen("largest", &people, &roster, &placed), 4);
    CHECK_INT(chosen("2", &people, &roster, &placed), 2 + 4);
}

static float alpha[W * H], open[W * H];

static void paint(int left, int top, int right, int bottom, float value)
{
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++)
            alpha[y * W + x] = value;
}

static void make_gate(const struct vsm_gate_box *boxes, int count)
{
    struct vsm_gate *gate = NULL;

    CHECK_INT(vsm_gate_create(W, H, &gate), VSM_OK);
    if (gate)
        vsm_gate_make(gate, alpha, boxes, count, open);
    vsm_gate_destroy(gate);
}

static float gate_at(int x, int y)
{
    return open[y * W + x];
}

static void test_gate_of_two_apart(void)
{
    const struct vsm_gate_box boxes[] = {{40, 60, 80, 220, 0, true}, {200, 60, 240, 220, 0, false}};

    memset(alpha, 0, sizeof(alpha));
    paint(44, 64, 76, 216, 1.0f);
    paint(76, 100, 130, 108, 1.0f); /* an arm far out of the box */
    paint(204, 64, 236, 216, 1.0f);
    make_gate(boxes, 2);
    CHECK_NEAR(gate_at(60, 140), 1, 1e-6);
    CHECK_NEAR(gate_at(125, 104), 1, 1e-6);
    CHECK_NEAR(gate_at(40, 140), 1, 1e-6); /* soft borders keep their alpha */
    CHECK_NEAR(gate_at(220, 140), 0, 1e-6);
    CHECK_NEAR(gate_at(204, 64), 0, 1e-6);
    CHECK_NEAR(gate_at(160, 20), 0, 1e-6); /* nobody's */
}

/* Touching people part half-way between their bodies, with a soft step. */
static void test_gate_of_two_touching(void)
{
    const struct vsm_gate_box boxes[] = {{40, 60, 140, 220, 0, true}, {120, 60, 220, 220, 0, false}};
    float last = 1.0f;

    memset(alpha, 0, sizeof(alpha));
    paint(44, 64, 216, 216, 1.0f);
    make_gate(boxes, 2);
    CHECK_NEAR(gate_at(90, 140), 1, 1e-6);
    CHECK_NEAR(gate_at(170, 140), 0, 1e-6);
    for (int x = 90; x < 170; x++) {
        CHECK(gate_at(x, 140) <= last + 1e-6f && last - gate_at(x, 140) < 0.5f);
        if (last > 0.5f && gate_at(x, 140) <= 0.5f)
            CHECK(abs(x - 130) <= 4);
        last = gate_at(x, 140);
    }
}

/* A matte without anybody: kept in a chosen person's box, removed elsewhere. */
static void test_gate_of_loose_parts(void)
{
    const struct vsm_gate_box boxes[] = {{40, 60, 80, 220, 0, true}};

    memset(alpha, 0, sizeof(alpha));
    paint(44, 64, 76, 150, 1.0f);
    paint(50, 223, 70, 230, 0.4f); /* feet that faint mattes tore off */
    paint(250, 100, 300, 200, 1.0f);
    make_gate(boxes, 1);
    CHECK_NEAR(gate_at(60, 226), 1, 1e-6);
    CHECK_NEAR(gate_at(275, 150), 0, 1e-6);
    make_gate(NULL, 0);
    CHECK_NEAR(gate_at(60, 100), 0, 0);
}

/* Two who touch; the right one is missed. */
static struct vsm_roster_sighting seen(float left, float right)
{
    return (struct vsm_roster_sighting){.box = {left / W, 60.0f / H, right / W, 220.0f / H}, .score = 0.6f};
}

/* The gate for who is in sight and for the rivals, the left eye's grid W x H; the first person of the roster
 * is chosen. */
static int gate_of(const struct vsm_roster *roster)
{
    const struct vsm_roster_person *rivals[VSM_ROSTER_SIZE];
    struct vsm_gate_box boxes[VSM_GATE_BOXES];
    const int rival_count = vsm_rivals_find(roster, rivals);
    int count = 0;

    for (int i = 0; i < roster->count + rival_count; i++) {
        const bool rival = i >= roster->count;
        const struct vsm_roster_person *p = rival ? rivals[i - roster->count] : &roster->person[i];
        const struct vsm_person_box b = vsm_roster_box(p);

        if (rival || p->in_sight)
            boxes[count++] = (struct vsm_gate_box){.left = b.left * W,
                                                   .top = b.top * H,
                                                   .right = b.right * W,
                                                   .bottom = b.bottom * H,
                                                   .chosen = p->id == 1,
                                                   .rival = rival};
    }
    make_gate(boxes, count);
    return rival_count;
}

static void look(struct vsm_roster *roster, int frames, const struct vsm_roster_sighting *sightings,
                 int count)
{
    static const float guess[VSM_ROSTER_SIZE];

    for (int i = 0; i < frames; i++)
        vsm_roster_step(roster, NULL);
    vsm_roster_see(roster, sightings, count, guess, 0.2f);
}

/* Whose matte hangs together with the chosen one's does not become hers by being missed, until it is too long
 * ago. */
static void test_a_missed_neighbour_keeps_the_matte(void)
{
    const struct vsm_roster_sighting two[] = {seen(40, 140), seen(120, 220)};
    struct vsm_roster roster = {0};
    int frames = 0, rivals;

    memset(alpha, 0, sizeof(alpha));
    paint(44, 64, 216, 216, 1.0f);
    look(&roster, 0, two, 2);
    look(&roster, 8, two, 2);
    CHECK_INT(gate_of(&roster), 0);
    look(&roster, 8, two, 1);
    CHECK_INT(gate_of(&roster), 0);
    CHECK_NEAR(gate_at(170, 140), 0, 1e-6);
    look(&roster, 8, two, 1);
    CHECK(!roster.person[1].in_sight);
    do {
        rivals = gate_of(&roster);
        CHECK_NEAR(gate_at(90, 140), 1, 1e-6);
        if (rivals) {
            CHECK_NEAR(gate_at(170, 140), 0, 1e-6);
            CHECK(gate_at(110, 140) > 0.9f && gate_at(150, 140) < 0.1f);
        }
        frames += rivals;
        look(&roster, 1, two, 1);
    } while (rivals);
    CHECK_INT(frames, VSM_RIVALS_FRAMES);
    CHECK_NEAR(gate_at(170, 140), 1, 1e-6);
    CHECK_INT(roster.last_id, 2);
}

/* Who is seen again, or was seen once only, is no rival; a cut forgets them. */
static void test_who_is_no_rival(void)
{
    const struct vsm_roster_sighting two[] = {seen(40, 140), seen(120, 220)};
    const struct vsm_roster_person *rivals[VSM_ROSTER_SIZE];
    struct vsm_roster roster = {0};

    look(&roster, 0, two, 2);
    look(&roster, 8, two, 1);
    look(&roster, 8, two, 1);
    CHECK(roster.count == 2 && !roster.person[1].in_sight);
    CHECK_INT(vsm_rivals_find(&roster, rivals), 0);
    look(&roster, 1, two, 2);
    CHECK_INT(vsm_rivals_find(&roster, rivals), 0);
    look(&roster, 8, two, 1);
    look(&roster, 8, two, 1);
    CHECK_INT(vsm_rivals_find(&roster, rivals), 1);
    CHECK(rivals[0] == &roster.person[1]);
    look(&roster, 1, two, 2);
    CHECK_INT(vsm_rivals_find(&roster, rivals), 0);
    look(&roster, 8, two, 1);
    look(&roster, 8, two, 1);
    CHECK_INT(vsm_rivals_find(&roster, rivals), 1);
    vsm_roster_clear(&roster);
    CHECK_INT(vsm_rivals_find(&roster, rivals), 0);
}

/* The neighbour has really gone: the chosen one may walk where they were, arms first, and keeps all of her
 * matte. */
static void test_walking_over_the_place_of_a_rival(void)
{
    const struct vsm_roster_sighting two[] = {seen(40, 140), seen(180, 280)};
    struct vsm_roster roster = {0};
    bool met = false;

    look(&roster, 0, two, 2);
    look(&roster, 8, two, 2);
    look(&roster, 8, two, 1);
    look(&roster, 8, two, 1);
    for (int x = 40; x <= 180; x += 5) {
        const struct vsm_roster_sighting one = seen((float)x, (float)x + 100.0f);

        look(&roster, 1, &one, 1);
        memset(alpha, 0, sizeof(alpha));
        paint(x + 35, 64, x + 65, 216, 1.0f);
        paint(x + 4, 120, x + 96, 130, 1.0f); /* both arms */
        met = gate_of(&roster) > 0 || met;
        CHECK_NEAR(gate_at(x + 50, 140), 1, 1e-6);
        CHECK_NEAR(gate_at(x + 50, 210), 1, 1e-6);
        CHECK_NEAR(gate_at(x + 8, 125), 1, 1e-6);
        CHECK_NEAR(gate_at(x + 85, 125), 1, 1e-6);
    }
    CHECK(met);
    CHECK_INT(gate_of(&roster), 0);
}

static void test_boxes_in_views(void)
{
    const struct vsm_view direct = {.kind = VSM_VIEW_DIRECT,
                                    .source = {0, 0, 1000, 800},
                                    .width = W,
                                    .height = H};
    const struct vsm_view turned = {.kind = VSM_VIEW_TURNED,
                                    .source = {0, 0, 1000, 800},
                                    .width = W,
                                    .height = H,
                                    .projection = VSM_RECTILINEAR,
                                    .field_of_view = 90};
    const struct vsm_person person = {.box = {{0.4f, 0.45f, 0.6f, 0.55f}, {0.0f, 0.45f, 0.1f, 0.55f}},
                                      .parallax = 0.25f,
                                      .chosen = true};
    const struct vsm_people one = {.count = 1, .person = {person}},
                            both = {.count = 1, .person = {person}, .rival_count = 1, .rival = {person}};
    struct vsm_view_map map;
    struct vsm_gate_box box, boxes[VSM_GATE_BOXES];

    CHECK_INT(vsm_view_map_init(&map, &direct), VSM_OK);
    CHECK(vsm_gate_boxes_of(&map, 1000, 800, &one, VSM_LEFT, boxes) == 1);
    box = boxes[0];
    CHECK_NEAR(box.left, 0.4 * W, 1e-2);
    CHECK_NEAR(box.bottom, 0.55 * H, 1e-2);
    CHECK(box.chosen);
    CHECK_NEAR(box.parallax, 0.25, 0);
    CHECK_INT(vsm_view_map_init(&map, &turned), VSM_OK);
    CHECK(vsm_gate_boxes_of(&map, 1000, 800, &one, VSM_LEFT, boxes) == 1);
    box = boxes[0];
    CHECK_NEAR(box.left + box.right, W, 1e-2);
    CHECK_NEAR(box.right - box.left, W * 0.3249, 0.5); /* tan 18 degrees */
    CHECK(vsm_gate_boxes_of(&map, 1000, 800, &one, VSM_RIGHT, boxes) == 0);
    CHECK_INT(vsm_gate_boxes_of(&map, 1000, 800, &both, VSM_LEFT, boxes), 2);
    CHECK(!boxes[0].rival && boxes[1].rival && boxes[1].chosen);
    CHECK_NEAR(boxes[1].right - boxes[1].left, W * 0.3249, 0.5);
}

int main(void)
{
    RUN(test_rules);
    RUN(test_bad_rules);
    RUN(test_choice);
    RUN(test_choice_over_time);
    RUN(test_gate_of_two_apart);
    RUN(test_gate_of_two_touching);
    RUN(test_gate_of_loose_parts);
    RUN(test_a_missed_neighbour_keeps_the_matte);
    RUN(test_who_is_no_rival);
    RUN(test_walking_over_the_place_of_a_rival);
    RUN(test_boxes_in_views);
    return tap_done();
}
