#!/bin/sh
# A person's own pictures, as the commands take them: what is said of the files, how they are split, and that training, eval and
# predict read them alike.
. "$top_srcdir/tests/tap.sh"
plan 38

kinds=$top_srcdir/tests/reference/pictures
if ! python3 "$top_srcdir/tests/pictures.py" pets 18 cat=200,60,40 dog=60,200,60 frog=50,80,200 ||
    "$espalier" predict "$top_srcdir/README.md" x.png 2>&1 | grep -q 'built without' ||
    "$espalier" run --dry-run --data images@16:pets 2>&1 | grep -q 'built without'; then
    while [ "$number" -lt "$planned" ]; do skip "pictures" "no Python, or no libraries for pictures"; done
    exit 0
fi
small='C(4,3,1) P(2,2) A(8,8) SM(3)'
dry() { # DATA [OPTION]…: what a search would read
    data=$1
    shift
    "$espalier" run --dry-run --devices cpu:1 --start "$small" --data "images@16:$data" "$@"
}

# --- no option is needed ---
ok "a folder alone" dry pets
prints "says what was read" '^read +PNG 54$'
prints "and validates on a sixth of each class" '^split +38 to train, 7 to validate, 9 to test$'
ok "another number" dry pets --validation 20
prints "is taken" '^split +25 to train, 20 to validate, 9 to test$'

rm -rf few && cp -r pets few && rm few/dog/00[4-9].png few/dog/01*
ok "a small class" dry few
prints "is told" '^classes   uneven: cat has 15 images, dog 3; espalier eval prints a balanced accuracy'

# --- parts ---
mkdir parts && cp -r pets parts/train && cp -r pets parts/valid && cp -r pets parts/test && rm -r parts/valid/cat
ok "a folder that is divided" dry parts
prints "has its own validation images" '^split +54 to train, 36 to validate \(the set.s own\), 54 to test$'
says "no others" 1 'the set has 36 validation images of its own; leave it out' dry parts --validation 10
mv parts/test parts/tset
says "without test images the end is not tested" 0 "won't be tested: .*parts: has train/ with folders, but no test/" dry parts
prints "a misspelt part is counted" '^read +PNG 90; left out: folders 1$'

# --- files ---
cp -r pets mixed
cp "$kinds/plain.bmp" "$kinds/plain.jpg" "$kinds/turned.jpg" "$kinds/cmyk.jpg" mixed/cat
: >mixed/dog/a.gif
: >mixed/dog/b.tiff
: >mixed/dog/c.tiff
mkfifo mixed/dog/pipe.png
mkdir mixed/dog/folder.png mixed/empty
ok "files of all kinds" dry mixed
prints "are counted" '^read +PNG 54, JPEG 3, BMP 1; left out: .tiff 2, .gif 1, empty folders 1, folders 1, no regular files 1$'
cp "$kinds/junk.jpg" mixed/cat
says "a decoder's warning is one" 0 'mixed: 1 of 59 pictures are damaged, and were decoded all the same: cat/junk.jpg: Corrupt' dry mixed
cp -r pets bad
for i in 0 1 2 3 4 5 6 7 8 9 10 11; do printf 'bad' >bad/frog/z$i.png; done
says "bad files are listed" 1 'bad: 12 of 66 pictures can.t be read: frog/z0.png: .* and 2 more; .* --skip-bad' dry bad
says "or left out" 0 'bad: 12 of 66 pictures can.t be read and are left out: frog/z0.png: ' dry bad --skip-bad
mkdir icons && cp -r pets/cat pets/dog icons
for class in cat dog; do for i in 0 1 2; do cp "$kinds/grey-key.png" icons/$class/key$i.png; done; done
ok "pictures that have something on them" dry icons --start 'C(4,3,1) A(16,16) SM(2)'
says "a colour that is none" 2 '--background red: is no colour: black, white or #rrggbb' dry pets --background red

# --- a network knows how its pictures are read ---
ok "a network on white, of pictures as they lie" "$espalier" train "$small" --data images@16:mixed --background white \
    --no-orientation --epochs 8 --batch 8 --out white.safetensors
head -c 2000 white.safetensors | grep -a -o '"pictures":"[^"]*"' >note
prints "says so" 'rules 2, background white, orientation no' note
ok "one of no option" "$espalier" train "$small" --data images@16:pets --epochs 8 --batch 8 --out pets.safetensors
head -c 2000 pets.safetensors | grep -a -o '"pictures":"[^"]*"' >note
prints "says the defaults" 'rules 2, background black, orientation yes' note
ok "pictures of all kinds are classified" "$espalier" predict pets.safetensors "$kinds/plain.bmp" "$kinds/plain.jpg" \
    "$kinds/cmyk.jpg" "$kinds/turned-6.png" "$kinds/palette-clear.png"
[ "$(grep -c ' %' "$work/out")" = 5 ]
report $? "each on a line"
same() { # FILE NETWORK PICTURE PICTURE: the network sees the same in both
    "$espalier" predict "$1" "$2" "$3" --format csv | tail -n 2 | cut -d, -f3- | sort -u | wc -l
}
[ "$(same pets.safetensors "$kinds/turned-1.png" "$kinds/turned-1.png")" = 1 ] &&
    [ "$(same pets.safetensors "$kinds/gamma.png" "$kinds/plain.png")" = 1 ]
report $? "gAMA changes nothing"
[ "$(same pets.safetensors "$kinds/turned.jpg" "$kinds/plain.jpg")" = 2 ]
report $? "a picture is turned as EXIF says"
[ "$(same white.safetensors "$kinds/turned.jpg" "$kinds/plain.jpg")" = 1 ]
report $? "unless the network was trained on such as they lie"
says "a GIF file is named" 1 "x.png: is a GIF file, which is not read; save it as PNG" sh -c \
    'printf "GIF89a" >x.png; exec "$0" predict pets.safetensors x.png' "$espalier"

# --- eval ---
ok "its own folder" "$espalier" eval pets.safetensors
prints "is tested on a sixth" '^test .* on 9 images$'
python3 "$top_srcdir/tests/pictures.py" other 12 cat=200,60,40 frog=50,80,200
rm other/frog/00[0-7].png
ok "a folder that it never saw" "$espalier" eval pets.safetensors --data images@16:other
prints "is tested whole" '^ +all images of images@16:other$'
prints "with a balanced accuracy, as its classes are uneven" '^all .* balanced accuracy [0-9.]+ %, loss .* on 16 images$'
ok "the same as JSON" "$espalier" eval pets.safetensors --data images@16:other --json
prints "says that all were evaluated" '"part": "all"'
cp pets/cat/000.png pets/cat/again.png
ok "its own folder with a new picture" "$espalier" eval pets.safetensors --data images@16:pets
prints "is still tested in part" '^ +test images of images@16:pets$'
