# black_and_white.sh - images for shell tests that have no data set.

# black_and_white FOLDER [DOUBLINGS]: an IDX data set of 512 images (2 to the power of 1 + DOUBLINGS) of 8×8 pixels, in turn
# black (class 0) and white (class 1)
black_and_white() {
    mkdir "$1" && (
        cd "$1" || exit
        { head -c 64 /dev/zero; head -c 64 /dev/zero | tr '\000' '\377'; } >images
        printf '\000\001' >labels
        for doubling in $(seq "${2:-8}"); do
            cat images images >more && mv more images
            cat labels labels >more && mv more labels
        done
        count=$(wc -c <labels)
        count=$(printf '\\%03o\\%03o' $((count / 256)) $((count % 256)))
        for part in train t10k; do
            # shellcheck disable=SC2059
            { printf "\\000\\000\\010\\003\\000\\000$count\\000\\000\\000\\010\\000\\000\\000\\010"; cat images; } >$part-images-idx3-ubyte
            # shellcheck disable=SC2059
            { printf "\\000\\000\\010\\001\\000\\000$count"; cat labels; } >$part-labels-idx1-ubyte
        done
        rm images labels
    )
}
