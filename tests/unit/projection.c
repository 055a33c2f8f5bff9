#include "geometry/projection.h"
#include "geometry/rotation.h"

#include "tap.h"

static struct vsm_projection_eye eye_of(enum vsm_projection kind, int width, int height, double view)
{
    struct vsm_projection_eye eye = {0};

    CHECK_INT(vsm_projection_eye(kind, width, height, view, &eye), VSM_OK);
    return eye;
}

static void check_point(const struct vsm_projection_eye *eye, double x, double y, double z, double u,
                        double v)
{
    double got_u = -1.0, got_v = -1.0;

    CHECK(vsm_projection_to_pixel(eye, (double[]){x, y, z}, &got_u, &got_v));
    CHECK_NEAR(got_u, u, 1e-9);
    CHECK_NEAR(got_v, v, 1e-9);
}

static void test_half_equirect_known_points(void)
{
    struct vsm_projection_eye eye = eye_of(VSM_HALF_EQUIRECT, 1000, 800, 0.0);

    check_point(&eye, 0, 0, 1, 500, 400);
    check_point(&eye, 3, 0, 3, 750, 400);  /* 45 degrees right */
    check_point(&eye, -1, 0, 0, 0, 400);   /* 90 degrees left: the very edge */
    check_point(&eye, 0, 2, 2, 500, 200);  /* 45 degrees up is a quarter of the height */
    check_point(&eye, 0, -1, 0, 500, 800); /* straight down */
}

static void test_fisheye_known_points(void)
{
    struct vsm_projection_eye eye = eye_of(VSM_FISHEYE, 1900, 1900, 190.0);

    check_point(&eye, 0, 0, 5, 950, 950);
    check_point(&eye, 1, 0, 0, 1850, 950); /* 90 degrees at 10 pixels a degree */
    check_point(&eye, 0, 1, 1, 950, 500);  /* 45 degrees up */
    check_point(&eye, -1, -1, sqrt(2.0), 950 - 450 / sqrt(2.0), 950 + 450 / sqrt(2.0));
}

static void test_rectilinear_known_points(void)
{
    struct vsm_projection_eye eye = eye_of(VSM_RECTILINEAR, 200, 100, 90.0);

    check_point(&eye, 1, 0, 1, 200, 50);
    check_point(&eye, 0, 1, 2, 100, 0);
    check_point(&eye, 0, -1, 1, 100, 150); /* below the picture, but in front */
}

static void test_what_is_not_seen(void)
{
    struct vsm_projection_eye half = eye_of(VSM_HALF_EQUIRECT, 100, 100, 0.0);
    struct vsm_projection_eye fish = eye_of(VSM_FISHEYE, 100, 100, 180.0);
    struct vsm_projection_eye all = eye_of(VSM_FISHEYE, 100, 100, 360.0);
    struct vsm_projection_eye flat = eye_of(VSM_RECTILINEAR, 100, 100, 90.0);
    double u = 7.0, v = 7.0, d[3] = {7.0, 7.0, 7.0};

    CHECK(!vsm_projection_to_pixel(&half, (double[]){0.1, 0.0, -0.01}, &u, &v));
    CHECK(!vsm_projection_to_pixel(&half, (double[]){0.0, 0.0, 0.0}, &u, &v));
    CHECK(!vsm_projection_to_pixel(&fish, (double[]){1.0, 0.0, -0.01}, &u, &v));
    CHECK(!vsm_projection_to_pixel(&all, (double[]){0.0, 0.0, -1.0}, &u, &v));
    CHECK(!vsm_projection_to_pixel(&flat, (double[]){0.0, 1.0, 0.0}, &u, &v));
    CHECK(!vsm_projection_to_direction(&fish, 0.5, 0.5, d));
    CHECK(u == 7.0 && v == 7.0 && d[0] == 7.0 && d[2] == 7.0);
    CHECK(vsm_projection_to_pixel(&fish, (double[]){1.0, 0.0, 0.0}, &u, &v));
}

static void check_round_trip(const struct vsm_projection_eye *eye)
{
    double worst = 0.0;
    int seen = 0;

    for (double v = 0.5; v < eye->height; v += 7.3) {
        for (double u = 0.5; u < eye->width; u += 7.3) {
            double d[3], back_u = -1.0, back_v = -1.0;

            if (!vsm_projection_to_direction(eye, u, v, d))
                continue;
            CHECK_NEAR(d[0] * d[0] + d[1] * d[1] + d[2] * d[2], 1.0, 1e-12);
            CHECK(vsm_projection_to_pixel(eye, d, &back_u, &back_v));
            worst = fmax(worst, fmax(fabs(back_u - u), fabs(back_v - v)));
            seen++;
        }
    }
    CHECK_NEAR(worst, 0.0, 1e-8);
    CHECK(seen > 0.7 * eye->width * eye->height / (7.3 * 7.3));
}

static void test_round_trips(void)
{
    struct vsm_projection_eye eyes[] = {
        eye_of(VSM_HALF_EQUIRECT, 512, 512, 0.0), eye_of(VSM_HALF_EQUIRECT, 300, 500, 0.0),
        eye_of(VSM_FISHEYE, 512, 512, 150.0),     eye_of(VSM_FISHEYE, 512, 512, 190.0),
        eye_of(VSM_FISHEYE, 512, 512, 270.0),     eye_of(VSM_RECTILINEAR, 480, 270, 90.0),
        eye_of(VSM_RECTILINEAR, 480, 270, 150.0),
    };

    for (size_t i = 0; i < sizeof(eyes) / sizeof(eyes[0]); i++)
        check_round_trip(&eyes[i]);
}

/* The facts of VR180: 4096 pixels an eye and 63 mm between the eyes give about 80 pixels of disparity
 * at 1 m. */
static void test_disparity_of_parallel_eyes(void)
{
    struct vsm_projection_eye eye = eye_of(VSM_HALF_EQUIRECT, 4096, 4096, 0.0);
    double left_u = 0.0, right_u = 0.0, v = 0.0;

    CHECK(vsm_projection_to_pixel(&eye, (double[]){0.0315, 0.0, 1.0}, &left_u, &v));
    CHECK(vsm_projection_to_pixel(&eye, (double[]){-0.0315, 0.0, 1.0}, &right_u, &v));
    CHECK_NEAR(left_u - right_u, 2.0 * atan(0.0315) / M_PI * 4096.0, 1e-9);
    CHECK(left_u - right_u > 80.0 && left_u - right_u < 84.0);
}

static void test_bad_eyes_are_refused(void)
{
    struct vsm_projection_eye eye;

    CHECK_INT(vsm_projection_eye(VSM_RECTILINEAR, 100, 100, 180.0, &eye), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "field of view 180");
    CHECK_INT(vsm_projection_eye(VSM_FISHEYE, 100, 100, 0.0, &eye), VSM_E_USAGE);
    CHECK_INT(vsm_projection_eye(VSM_FISHEYE, 100, 100, NAN, &eye), VSM_E_USAGE);
    CHECK_INT(vsm_projection_eye(VSM_HALF_EQUIRECT, 0, 100, 180.0, &eye), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "0x100");
}

static void check_turn(double yaw, double pitch, double roll, const double in[3], const double expected[3])
{
    struct vsm_rotation turn = vsm_rotation_of(yaw, pitch, roll);
    double out[3], back[3];

    vsm_rotation_out(&turn, in, out);
    vsm_rotation_in(&turn, out, back);
    for (int i = 0; i < 3; i++) {
        CHECK_NEAR(out[i], expected[i], 1e-12);
        CHECK_NEAR(back[i], in[i], 1e-12);
    }
}

static void test_rotation(void)
{
    const double right[3] = {1, 0, 0}, up[3] = {0, 1, 0}, ahead[3] = {0, 0, 1}, down[3] = {0, -1, 0};
    const double behind[3] = {0, 0, -1};

    check_turn(M_PI_2, 0, 0, ahead, right);
    check_turn(0, M_PI_2, 0, ahead, up);
    check_turn(0, M_PI_2, 0, up, behind);
    check_turn(0, 0, M_PI_2, right, down);
    check_turn(M_PI_2, M_PI_2, 0, ahead, up);
    check_turn(0.3, -0.2, 0.1, (double[]){0, 0, 0}, (double[]){0, 0, 0});
    check_turn(0.3, 0.4, 0, ahead, (double[]){sin(0.3) * cos(0.4), sin(0.4), cos(0.3) * cos(0.4)});
}

int main(void)
{
    RUN(test_half_equirect_known_points);
    RUN(test_fisheye_known_points);
    RUN(test_rectilinear_known_points);
    RUN(test_what_is_not_seen);
    RUN(test_round_trips);
    RUN(test_disparity_of_parallel_eyes);
    RUN(test_bad_eyes_are_refused);
    RUN(test_rotation);
    return tap_done();
}
