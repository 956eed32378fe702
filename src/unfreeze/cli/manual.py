"""The manual pages: what ``unfreeze --help`` and ``unfreeze COMMAND --help`` say.

Plain text, since a page set in panels and colours would need rich, whose import takes longer than the page may.
"""

import textwrap

EXIT_CODES = """
Exit codes:

  0    done
  1    a fault of unfreeze
  2    something in the input or the options has to be changed
  3    too many files cannot be used
  4    the disk is full, or does not work
  129  stopped by SIGHUP: the terminal was closed
  130  stopped by Ctrl-C
  143  stopped by SIGTERM
"""

_SOURCE = """
SOURCE is one of

  a folder of class folders           photos/cat/1.jpg
  the same below train/, test/, val/  photos/train/cat/1.jpg
  a CSV or Parquet list               columns path,label[,split][,group]
  tars or Parquet that hold photos    tars/, 'tars/train-{000..009}.tar'
  folders and tars in a store         s3://bucket/photos, gs://bucket/tars
  tars or Parquet on the web          https://…/photos.tar

A test part only reports, a val part trains; images of one group (a subject,
a tile) stay on one side of every split.
JPEG, PNG, WebP, GIF, BMP and TIFF are read, HEIC too with unfreeze[heif].
"""

_JSON = """
With --json, standard output is exactly one JSON document; everything else
goes to standard error.
"""

UNFREEZE = """
How far should a pretrained network be unfrozen on your photos?

unfreeze trains the classifier, and says what each step gained, how sure that
is, and what it cost. Most of the time all you need is

  unfreeze run photos/
"""

RUN = f"""
Train a classifier on a folder of photos and say how far to unfreeze.

Reads the images' codes at every tap of a pretrained network, and races
strategies on splits that all of them share: linear classifiers on the codes,
the head alone, the last blocks too, the whole network. What wins is trained
once more on everything. A test part of your own, in SOURCE or a folder given
by --test, is read once, at the end.
{_SOURCE}
It prints one table and a verdict, and writes a folder that holds run.json
(everything that was measured), report.html, classes.csv and confusion.csv
(which classes are taken for which), model/ (the picked strategy, which plain
torch runs without unfreeze), neighbours.safetensors (small training photos
for unfreeze serve), and events.jsonl (what happened, for tail -f). A
finished run is never touched again. The report shows small pictures of
mistakes; with --no-photos it shows none and names no file, and there are no
small training photos either.

Photos that are not square are cropped, squashed or padded, whichever a quick
probe recognises best; --resize says it instead.

Near copies stay on one side of every split. Where photos seem to come in
series, it is measured what that costs; --groups guessed keeps those together
too.

Each step is answered: worth it, not worth it, equivalent within --margin, or
cannot tell, with what would settle it. What does not fit the budget is
shortened or left out, and the table says so.

Ctrl-C, SIGTERM and SIGHUP stop a run after the step that it is in. What was
measured is reported (stopped.json, report.html), and a model is delivered if
training it takes no more than a second; a second Ctrl-C leaves it out.

A run that was stopped or killed goes on with --resume RUN, or when the same
command is given again; what was measured is not measured again. Without a
budget (--budget none, or --rounds N) it ends with the same numbers as one
that was never stopped; with one, what it tries after the stop may differ.
A new run on the same images reuses all codes.

With --on ray, or ray://HOST:PORT, the workers of a Ray cluster carry out the
splits side by side (unfreeze[ray]).
{_JSON}
Examples:

  unfreeze run photos/
  unfreeze run photos/ --budget 1h --strategies 2,4,full,scratch
  unfreeze run list.csv --backbone resnet50 --out runs/resnet50
  unfreeze run photos/ --rounds 1 --out runs/fixed
  unfreeze run --resume runs/fixed
  unfreeze run photos/ --seed 1 --json > run.json
  unfreeze run photos/ --test holdout/ --exclude blurred --open
  unfreeze run photos/ --rounds 2 --on ray
{EXIT_CODES}"""

INSPECT = f"""
Say what is in a folder of photos, without training anything.

Decodes every file and prints the counts, the classes, the sizes, what cannot
be used and why, the exact duplicates, how the images are split, and whether
size, blur, darkness or the frame of the photos gives classes away. That takes
seconds.

With --deep it also reads the codes of all photos with the default network,
and names labels that look wrong, photos unlike their class, and what tells a
test part from the rest. That takes as long as unfreeze codes.

The list of --fix has the columns path, label, split, group (near copies share
one) and left_out. A row with a reason in left_out is not read; empty that
cell to have it back. Photos are never touched.
{_SOURCE}{_JSON}
Examples:

  unfreeze inspect photos/
  unfreeze inspect photos/ --deep --fix cleaned.csv
  unfreeze inspect photos/ --json | jq .set_aside
{EXIT_CODES}"""

CODES = f"""
Write the images' codes at every tap of a network to a file.

Codes are what a frozen network makes of an image: pooled activations, one
vector per image and tap. All taps are read in one pass, and what was computed
before is reused.
{_SOURCE}
Labels are not needed here: a folder of photos without class folders will do,
a single class folder, and a list without the column label.

What is written depends on the name given by --out:

  NAME.parquet  columns path, label, split, and a list of floats per tap
  NAME.npy      NAME.TAP.npy per tap (or NAME.npy alone with --tap), float32
                with a row per image, and NAME.csv, which names the rows
  a folder      codes.parquet in it, or what --to says:

  --to datasets     what datasets.load_from_disk reads, with the same columns
  --to tensorboard  tables for its projector, TAP.tsv per tap (or tensors.tsv
                    with --tap), metadata.tsv, and up to 7,225 small photos

Files that exist are not overwritten. The split column is the one that is
given, else the one that unfreeze probe and tune make with the same --seed.
With --on the workers of a Ray cluster do the work (unfreeze[ray]).
{_JSON}
Examples:

  unfreeze codes photos/ --out codes.parquet
  unfreeze codes photos/ --out last.npy --tap last
  unfreeze codes photos/ --backbone resnet50 --out codes/
  unfreeze codes photos/ --to tensorboard --tap last --out projector/
  unfreeze codes photos/ --out codes.parquet --on ray
{EXIT_CODES}"""

PROBE = f"""
Fit linear classifiers on the codes at every tap: the depth curve.

At each tap a softmax classifier and a linear SVM are fitted on the training
part, with their regularisation chosen by cross-validation inside it, and
measured on the test part (a stratified fifth where none is given). Where the
curve peaks before the last tap, your images are unlike those the network was
trained on. Writes nothing but the store of codes.

SOURCE may also be what unfreeze codes wrote, a .parquet or .npy file, which
may be larger than memory.
{_SOURCE}{_JSON}
Examples:

  unfreeze probe photos/
  unfreeze probe photos/ --loss softmax --tap blocks.4
  unfreeze codes photos/ --out codes.parquet && unfreeze probe codes.parquet
{EXIT_CODES}"""

TUNE = f"""
Train one strategy and write the model.

  --unfreeze head     the head alone, on the frozen network
  --unfreeze 2        the last two blocks and the head
  --unfreeze full     the whole network, earlier layers at lower rates
  --unfreeze scratch  the whole network, from random weights
  --unfreeze WORD     a linear classifier on the frozen network: softmax-last,
                      svm-last, softmax-best, svm-best, linear-all

Trains on the training part, reports on the test part (a stratified fifth
where none is given), and writes a folder with a model card, which plain torch
runs without unfreeze; timm.create_model("local-dir:PATH", pretrained=True)
loads it too if the network in it is whole.

With --like RUN, layout, precision and threads of the training are those of
that run, not the fastest ones here, so that nothing in it depends on time:
twice the same command with --epochs, on one machine, gives the same bits.

With --devices N so many processes share every batch, each on a GPU of its own
or, on the CPU, on its part of the cores; with --on the workers of a Ray
cluster do (unfreeze[ray]). Batches, shuffles and rates stay those of one.
{_SOURCE}{_JSON}
Examples:

  unfreeze tune photos/ --unfreeze head --out model/
  unfreeze tune photos/ --unfreeze full --budget 1h --out model/
  unfreeze tune photos/ --unfreeze scratch --epochs 30 --out model/
  unfreeze tune photos/ --unfreeze full --devices 4 --out model/
  unfreeze tune photos/ --unfreeze full --on ray://head:10001 --out model/
{EXIT_CODES}"""

PREDICT = f"""
Name the class of images with a model that unfreeze has written.

MODEL is the folder model/ of a run or what unfreeze tune wrote. IMAGES are

  photo.jpg        a file
  inbox/           a folder, searched at any depth: by content, as in
                   training, without what is hidden or left by a system
  'in/**/*.jpg'    a pattern; ** stands for any number of folders
  list.csv         or .tsv, .txt: a table with a column path (or file), with
                   or without labels; of .txt also a path a line
  rows.parquet     a table with a column path, or one of whole files as
                   Hugging Face's datasets writes it
  photos.tar       the photos in a tar; also 'tars/*.tar', t-{{0..9}}.tar
  s3://…, https://… a photo, a tar or a Parquet file at an address; in a
                   store also a folder or a pattern
  -                standard input: a path a line, or one image

Each photo is read once; how many files were skipped, and why, is said.
Prints a table with the path, the label and its
probability; a model with an SVM as its head has none, and its decision score
takes the place. With --threshold, a label below it is left open: unsure in
the table, empty in CSV, null in JSON. Images that cannot be read are named on
standard error. Writes nothing.

With --unlike 1%, photos that are unlike anything in training are marked; of
photos like those in training, at most that share is. Their label stays.

With --csv, standard output has the columns file, label, probability (or
score), runner_up and runner_up_probability, and for --top K of 2 or more
label_1, probability_1, label_2 ...
{_JSON}
Examples:

  unfreeze predict unfreeze-runs/photos-1/model new/*.jpg
  unfreeze predict model/ inbox/ --csv --threshold 0.8 > labels.csv
  unfreeze predict model/ inbox/ --top 3 --json
  find new -mtime -1 -print0 | unfreeze predict model/ -
{EXIT_CODES}"""

EVALUATE = f"""
Score a model on labelled photos, and name its surest mistakes.

MODEL is the folder model/ of a run or what unfreeze tune wrote. LABELLED is
what unfreeze run takes, such as a folder of class folders, a CSV or Parquet
list, or tars, with photos that the model has not learned from. Where it gives
a test part, that part alone is scored. Classes are matched by name; one that
the model does not know is an error, one of the model without photos is said.

Prints accuracy with its 95 % interval (over whole groups where a list has
them) and balanced accuracy; for each class precision, recall and F1 with
their intervals; what is taken for what; and the mistakes of which the model
is surest, which may be wrong labels. Photos that cannot be read are counted
and named. Writes nothing but the file of --csv, with the columns path, given,
predicted, probability (or score) and right.

A table says how many photos are answered, and how many of them right, if the
model leaves open what it is less sure of than 50 %, 60 %, ... 99 %;
--abstain-below says it of one probability, as unfreeze predict --threshold
leaves photos open. With --unlike 1%, photos that are unlike anything in
training are counted apart.
{_JSON}
Examples:

  unfreeze evaluate unfreeze-runs/photos-1/model others/
  unfreeze evaluate model/ list.csv --mistakes 50 --csv rows.csv
  unfreeze evaluate model/ others/ --abstain-below 0.8 --unlike 1%
  unfreeze evaluate model/ others/ --json | jq .accuracy
{EXIT_CODES}"""

EXPORT = f"""
Export a model: one file, from a decoded photo of any size to probabilities.

MODEL is the folder model/ of a run or what unfreeze tune wrote. Resizing,
cropping, normalising and the temperature are inside the file, labels and
settings in its metadata: what runs it needs neither unfreeze nor Python.

  --to onnx          model.onnx, for ONNX Runtime and what reads ONNX
  --to openvino      model.xml and model.bin
  --to torch-export  model.pt2, which plain torch runs
  --to coreml        model.mlpackage; here nothing can run it, so that it is
                     not compared. Vision resizes photos for it

With --resize exact photos are resized as unfreeze predict resizes them, to
the last bit; with fast the runtime resizes them in its own way. --int8 makes
the file a quarter as large, and says what that costs in accuracy.

The export is compared with unfreeze predict on 64 photos of the model's run,
or of --images DIR. The figures are printed, and written into README.md beside
it, with code that runs it. An exact export in float32 whose probabilities
differ by more than 0.0001 is not delivered.

It needs unfreeze[export], for --int8 to openvino unfreeze[int8] too.
{_JSON}
Examples:

  unfreeze export unfreeze-runs/photos-1/model --to onnx
  unfreeze export model/ --to openvino --int8 --images photos/ --out small
  unfreeze export model/ --to onnx --resize fast --json | jq .parity
{EXIT_CODES}"""

SERVE = f"""
Serve models over HTTP, with a page for people.

MODEL is the folder model/ of a run or what unfreeze tune wrote. It is called
by the name of its run or folder, or as NAME=FOLDER says; several are served
side by side. The page at / takes photos that are dropped, pasted or taken,
and shows labels, the report of the run and the model card. Programs use

  POST /v1/predict              a photo as the body, or files of a form;
                                ?model=NAME&top=K
  GET  /v1/models, /v1/model/NAME
  POST /v2/models/NAME/infer    KServe's protocol, version 2
  GET  /healthz, /readyz, /metrics, /openapi.json

Answers have the numbers of unfreeze predict. Photos of all requests go
through the network together; those that are unlike anything in training are
marked (--unlike). They are decoded in processes that may open no
file and reach no network, are kept in memory alone, and nothing is sent
anywhere else. What is too much is refused at once with status 429 or 503.

It listens on this machine alone. Elsewhere (--host) it wants a token, which
requests carry as Authorization: Bearer TOKEN, and --allowed-host NAME.

SIGHUP reads the folders again: a model is replaced without losing a request,
and stays what it was if the new one cannot be read. SIGTERM and Ctrl-C finish
the requests that were taken and end with exit code 0. It needs
unfreeze[serve].

With --on ray, or ray://HOST:PORT, processes on a Ray cluster serve behind one
port, --replicas N of them (unfreeze[ray-serve]).

With --json, standard output is one JSON document, which says where it serves.

Examples:

  unfreeze serve unfreeze-runs/photos-1/model --open
  unfreeze serve old=model-1 new=model-2 --port 9000
  unfreeze serve model/ --host 0.0.0.0 --token-file token --allowed-host pc7
  unfreeze serve model/ --on ray --replicas 4
{EXIT_CODES}"""

UI = f"""
Steer it in a browser: choose photos, follow the run, try the model.

The workbench shows folders below each ROOT, and no other. It says what is in
one, as unfreeze inspect does; asks in plain words what a run needs to know;
begins it, shows the scores as they are measured, and stops it on request,
keeping what there is. Closing the page stops nothing: it shows the run again
when it is opened again. Its report is shown, its model tried on photos that
are dropped on the page, and two runs are compared.

Runs lie in unfreeze-runs/, as those of unfreeze run do, with the same numbers;
each is a process of its own. Ctrl-C ends the workbench and stops what is under
way, which can go on: in the workbench, or with unfreeze run --resume.

It listens on this machine alone, and its page wants the token that stands in
the address it prints. Elsewhere (--host) the token has to be given, and
--allowed-host NAME. Nothing is sent anywhere else. It needs unfreeze[serve].

With --json, standard output is one JSON document, which says where it is.

Examples:

  unfreeze ui --open
  unfreeze ui /data/photos /data/more --port 9000
{EXIT_CODES}"""

REPORT = f"""
Write the report of a run again, from its run.json.

RUN is the folder that unfreeze run wrote; of a run that was stopped,
stopped.json is read. report.html, classes.csv and confusion.csv in it are
replaced. No network and no store is needed. Photos of mistakes are shown
where they are still in their place; --no-photos leaves out all pictures and
the names of all files, as it does in unfreeze run.

With --format md the answer, the strategies, the steps and the classes are
printed as Markdown, with --format json the document of run.json; then nothing
is written.
{_JSON}
Examples:

  unfreeze report unfreeze-runs/photos-1 --open
  unfreeze report unfreeze-runs/photos-1 --format md > answer.md
{EXIT_CODES}"""

COMPARE = f"""
Say whether two finished runs differ.

Takes what each run picked and compares the two on the images that both have
tested, paired by image, and says by how much the second one is better, with a
95 % interval. Images are the same if their names in the folder or list are.
The splits may differ, the classes may not. Two networks, sizes of images or
seeds can be compared that way; two strategies of one run stand in its report.
Writes nothing.
{_JSON}
Examples:

  unfreeze compare unfreeze-runs/photos-1 unfreeze-runs/photos-2
  unfreeze compare runs/resnet50 runs/lite0 --json | jq .interval
{EXIT_CODES}"""

SAMPLE = f"""
Write a sample data set as class folders.

leaves (720 drawn leaves of six trees) and digits (1,797 handwritten digits,
8 x 8 pixels) need no internet; others, such as Flowers102, OxfordIIITPet,
DTD, EuroSAT, FGVCAircraft, Food101 and CIFAR10, are downloaded by
torchvision. DIR must not exist, or be empty.
{_JSON}
Examples:

  unfreeze sample leaves photos/
  unfreeze sample EuroSAT eurosat/
{EXIT_CODES}"""

CACHE = """
See, check, mend and shrink the store of codes.

Codes that were computed once are kept, so that a second run reads none again.
There is a store for each network, size of images and engine. They lie in the
user's cache folder, or where UNFREEZE_CACHE says: in a folder, or at an
address such as s3://bucket/cache, whose codes several machines share and of
which each keeps what it needs. Together they take at most
20 GB or a tenth of the disk, whichever is less, or what UNFREEZE_CACHE_LIMIT
says (such as 50GB); beyond that, those not used for longest are removed.
Nothing there is irreplaceable.
"""

CACHE_LIST = f"""
List the stores of codes: network, engine, images, size, last use.

Reads no codes, so it is quick however large the stores are.
{_JSON}
Examples:

  unfreeze cache list
  unfreeze cache list --json | jq '.stores[].notes'
{EXIT_CODES}"""

CACHE_VERIFY = f"""
Read every byte of every store, compare all checksums, change nothing.

Names each damaged shard with what is wrong with it. Damage is exit code 2.
A run never uses a damaged shard; it computes its images again.
{_JSON}
Example:

  unfreeze cache verify
{EXIT_CODES}"""

CACHE_REPAIR = f"""
Remove damaged shards and leftovers, and write lost manifests anew.

Checks as verify does, removes each damaged shard (its images are computed
again when they are needed) and the temporary files of processes that were
killed, and rebuilds manifests from the shards, which all carry a copy.
{_JSON}
Example:

  unfreeze cache repair
{EXIT_CODES}"""

CACHE_PRUNE = f"""
Remove stores of codes, the least recently used first.

A store goes whole or not at all, and never while a process uses it. With
both --older-than and --to, the old ones go first, then more until the rest
fits. TIME is 30d, 12h, or a number of seconds; SIZE is 5GB, 500MB, 8GiB, or
a number of bytes.
{_JSON}
Examples:

  unfreeze cache prune --older-than 30d
  unfreeze cache prune --to 5GB
  unfreeze cache prune --all
{EXIT_CODES}"""

ZOO = """
List, bring, check and share networks to begin from.

A zoo is a folder, an address of the web, a store such as s3://… or a
repository of the Hugging Face Hub (hf://OWNER/NAME). What is pulled from one,
or imported, is given to --backbone wherever the name of a network is: in run,
codes, probe and tune.
"""

ZOO_LIST = f"""
List networks to begin from: kept ones, installed ones and timm's list.

With --zoo, what is in that zoo. The columns are the name, how many classes it
tells apart, the side of its images in pixels, the licence of its weights in
the words of their source, what that says about selling what comes out (yes,
no, read it, unknown), what was measured of it, and where it is. Networks of
timm's list are downloaded when they are used, or pulled.
{_JSON}
Examples:

  unfreeze zoo list
  unfreeze zoo list 'resnet*'
  unfreeze zoo list --zoo https://zoo.example.org/leaves
{EXIT_CODES}"""

ZOO_SHOW = f"""
Show what is known of an entry: its card.

Source, licence and whether what comes out may be sold, size, channels, scale,
mean and std of its input, taps, classes, what was measured and how, and the
SHA-256 of every file. Of networks of timm's list that are not kept, what timm
says.
{_JSON}
Examples:

  unfreeze zoo show resnet18.a1_in1k
  unfreeze zoo show leaves --zoo hf://OWNER/NAME
{EXIT_CODES}"""

ZOO_PULL = f"""
Bring an entry to this machine, for --backbone NAME without internet.

From the zoo of --zoo; without one, a network that timm publishes, or a
repository of the Hugging Face Hub that holds one model (hf-hub:OWNER/NAME)
with safetensors. All files are hashed before anything is kept, and again
whenever the entry is loaded. A pickle is refused. Entries are kept in
UNFREEZE_ZOO, else in the user's data folder.
{_JSON}
Examples:

  unfreeze zoo pull leaves --zoo https://zoo.example.org/leaves
  unfreeze zoo pull resnet18.a1_in1k
  unfreeze zoo pull hf-hub:OWNER/NAME --name beetles
{EXIT_CODES}"""

ZOO_VERIFY = f"""
Hash all that is kept: pulled entries, and weights in packages.

What is damaged is named, and the exit code is 2.
{_JSON}
Example:

  unfreeze zoo verify
{EXIT_CODES}"""

ZOO_PUBLISH = f"""
Make a model an entry of a zoo.

MODEL is the folder of a model that unfreeze, timm or transformers wrote, of
an imported network, or the name of a kept entry. It is loaded first; its card
is written from what it says, and from run.json beside the folder of a run's
model. TARGET is a folder, which is made, a store such as s3://… or a
repository of the Hugging Face Hub (hf://OWNER/NAME). Entries are never
replaced, and publishers at once lose nothing. No pickle is published.
{_JSON}
Examples:

  unfreeze zoo publish unfreeze-runs/leaves-1/model /mnt/zoo --name leaves
  unfreeze zoo publish nets/net s3://bucket/zoo --licence bsd-2-clause
  unfreeze zoo publish leaves hf://OWNER/NAME
{EXIT_CODES}"""

ZOO_IMPORT = f"""
Import a network as a folder: an ONNX file, or the two files of Caffe's.

What comes out is trained, cut and probed like any other network.

An ONNX file does not say which pixels its network takes. --preprocessing does:
torch (ImageNet's mean and deviation), tf (from -1 to 1), caffe (blue, green,
red, less ImageNet's mean), unit (from 0 to 1) or pixels (from 0 to 255).
Batch norms are part of the convolutions before them afterwards.

A network of Caffe's takes blue, green, red from 0 to 255 less a mean.
Prototxts for deployment and for training are read; layers and weights are
matched by name. It needs unfreeze[caffe].

Of a network that is no classifier, such as a detector, --until LAYER imports
the trunk that ends in that layer.

The files are read in a process that may open no file, reach no network and
start no program; nothing in them is executed.
{_JSON}
Examples:

  unfreeze zoo import net.onnx --preprocessing torch
  unfreeze zoo import deploy.prototxt net.caffemodel --mean 104,117,123
  unfreeze zoo import deploy.prototxt net.caffemodel --mean mean.binaryproto
  unfreeze zoo import ssd.prototxt ssd.caffemodel --until conv5_3 --mean 0,0,0
{EXIT_CODES}"""

VERSION = f"""
Print versions, and which locks hold the decoders of images here.

The versions are those of unfreeze, Python and the libraries that move
numbers.
{_JSON}
Example:

  unfreeze version --json
{EXIT_CODES}"""


def formatted(text: str) -> str:
    """A page for the formatter of the command line, which would rewrap what is indented.

    Args:
        text: Paragraphs; those whose first line is indented are kept as they are.

    Returns:
        The page with every such paragraph marked.
    """
    paragraphs = textwrap.dedent(text).strip("\n").split("\n\n")
    return "\n\n".join(f"\b\n{part}" if part.startswith("  ") else part for part in paragraphs)
