#include "app/encoder_shares.h"

#include <stddef.h>

void vsm_encoder_shares_divide(struct vsm_encoder_share *shares, int count, int threads)
{
    for (int i = 0; i < count; i++)
        shares[i].threads = 1;
    for (int left = threads - count; left > 0; left--) {
        struct vsm_encoder_share *next = NULL;

        for (int i = 0; i < count; i++)
            if (shares[i].threads < shares[i].most &&
                (!next || shares[i].work / shares[i].threads > next->work / next->threads))
                next = &shares[i];
        if (!next)
            return;
        next->threads++;
    }
}
