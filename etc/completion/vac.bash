# Completion of vac for bash. Generated from src/cli/commands.ts; change it there.

# Words of a kind that this host's configuration or vacd knows.
_vac_words() {
    mapfile -t COMPREPLY < <(compgen -W "$("$_vac_program" completion-words "$1" "${_vac_source[@]}" 2>/dev/null)" -- "$cur")
}

_vac_choices() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_vac_paths() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

_vac() {
    local cur=$2 command= option= word i arguments=0 _vac_program=$1
    local -a _vac_source=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # bash takes --option=value apart at the equals sign.
        [[ $word == = ]] && continue
        if [[ -n $option ]]; then
            case $option in --config | --state-dir) _vac_source+=("$option" "$word") ;; esac
            option=
            continue
        fi
        case $word in
        --space | -s) option=--space ;;
        --timeout | -t) option=--timeout ;;
        --config) option=--config ;;
        --state-dir) option=--state-dir ;;
        --sort) option=--sort ;;
        --interval | -n) option=--interval ;;
        --by) option=--by ;;
        --until) option=--until ;;
        --lines | -n) option=--lines ;;
        --at) option=--at ;;
        --ip) option=--ip ;;
        --port) option=--port ;;
        --to) option=--to ;;
        --machine) option=--machine ;;
        --uuid) option=--uuid ;;
        --month) option=--month ;;
        --republish) option=--republish ;;
        --heartbeat) option=--heartbeat ;;
        --disk-warning) option=--disk-warning ;;
        --disk-critical) option=--disk-critical ;;
        --factories) option=--factories ;;
        --desktops) option=--desktops ;;
        --slots) option=--slots ;;
        --types) option=--types ;;
        --hours) option=--hours ;;
        --seed) option=--seed ;;
        --loss) option=--loss ;;
        --delay) option=--delay ;;
        --partition) option=--partition ;;
        --restarts) option=--restarts ;;
        --skew) option=--skew ;;
        --black-holes) option=--black-holes ;;
        --share-change) option=--share-change ;;
        --work) option=--work ;;
        --life) option=--life ;;
        --backoff) option=--backoff ;;
        --fizzle) option=--fizzle ;;
        --half-life) option=--half-life ;;
        --svg) option=--svg ;;
        --dn) option=--dn ;;
        --ca-dir) option=--ca-dir ;;
        --cert | -c) option=--cert ;;
        --key | -k) option=--key ;;
        --machinetype) option=--machinetype ;;
        --out | -o) option=--out ;;
        -*) ;;
        *) if [[ -z $command ]]; then command=$word; else arguments=$((arguments + 1)); fi ;;
        esac
    done
    [[ $cur == = ]] && cur=
    if [[ -n $option ]]; then
        case $option in
        --config) _vac_paths -f ;;
        --state-dir) _vac_paths -d ;;
        --sort) _vac_choices 'name used load disk problems' ;;
        --svg) _vac_paths -f ;;
        --ca-dir) _vac_paths -d ;;
        --cert) _vac_paths -f ;;
        --key) _vac_paths -f ;;
        --machinetype) _vac_words machinetypes ;;
        --out) _vac_paths -f ;;
        esac
        return 0
    fi
    if [[ $cur == -* ]]; then
        case $command in
        machines) _vac_choices '--all --json --space --timeout --config --state-dir --no-colour --help --version' ;;
        machinetypes) _vac_choices '--origin --json --space --timeout --config --state-dir --no-colour --help --version' ;;
        machinetype) _vac_choices '--origin --json --space --timeout --config --state-dir --no-colour --help --version' ;;
        factories) _vac_choices '--sort --problems --json --space --timeout --config --state-dir --no-colour --help --version' ;;
        shares) _vac_choices '--check --json --space --timeout --config --state-dir --no-colour --help --version' ;;
        watch) _vac_choices '--interval --json --space --timeout --config --state-dir --no-colour --help --version' ;;
        why) _vac_choices '--json --config --state-dir --no-colour --help --version' ;;
        drain) _vac_choices '--by --until --json --config --state-dir --no-colour --help --version' ;;
        undrain) _vac_choices '--json --config --state-dir --no-colour --help --version' ;;
        stop) _vac_choices '--json --config --state-dir --no-colour --help --version' ;;
        shutdown-at) _vac_choices '--json --config --state-dir --no-colour --help --version' ;;
        overnight) _vac_choices '--json --config --state-dir --no-colour --help --version' ;;
        images) _vac_choices '--json --config --state-dir --no-colour --help --version' ;;
        logs) _vac_choices '--follow --lines --config --state-dir --no-colour --help --version' ;;
        trace) _vac_choices '--at --ip --port --to --machine --uuid --verify --json --config --state-dir --no-colour --help --version' ;;
        quarantine) _vac_choices '--by --json --config --state-dir --no-colour --help --version' ;;
        release) _vac_choices '--by --destroy --json --config --state-dir --no-colour --help --version' ;;
        accounting) _vac_choices '--month --republish --json --config --state-dir --no-colour --help --version' ;;
        apel-sync) _vac_choices '--json --config --state-dir --no-colour --help --version' ;;
        check) _vac_choices '--heartbeat --disk-warning --disk-critical --json --space --timeout --config --state-dir --no-colour --help --version' ;;
        simulate) _vac_choices '--factories --desktops --slots --types --hours --seed --loss --delay --partition --restarts --skew --black-holes --share-change --work --life --backoff --fizzle --half-life --empty --polling --exact --alone --svg --json --config --state-dir --no-colour --help --version' ;;
        cernvm-signature) _vac_choices '--dn --ca-dir --json --config --state-dir --no-colour --help --version' ;;
        squid-conf) _vac_choices '--json --config --state-dir --no-colour --help --version' ;;
        proxy-init) _vac_choices '--cert --key --machinetype --hours --legacy --out --json --config --state-dir --no-colour --help --version' ;;
        check-config) _vac_choices '--json --config --state-dir --no-colour --help --version' ;;
        help) _vac_choices '--config --state-dir --no-colour --help --version' ;;
        '') _vac_choices '--config --state-dir --no-colour --help --version' ;;
        esac
        return 0
    fi
    if [[ -z $command ]]; then
        _vac_choices 'machines machinetypes machinetype factories shares watch why drain undrain stop shutdown-at overnight images logs trace quarantine release accounting apel-sync check simulate cernvm-signature squid-conf proxy-init check-config help'
        return 0
    fi
    case $command:$arguments in
    machines:*) _vac_words factories ;;
    machinetypes:*) _vac_words factories ;;
    machinetype:0) _vac_words machinetypes ;;
    machinetype:*) _vac_words factories ;;
    factories:*) _vac_words factories ;;
    shares:*) _vac_words factories ;;
    watch:*) _vac_words factories ;;
    why:0) _vac_words subjects ;;
    stop:*) _vac_words machines ;;
    logs:0) _vac_words machines ;;
    quarantine:0) _vac_words machines ;;
    release:0) _vac_words machines ;;
    check:*) _vac_words factories ;;
    cernvm-signature:0) _vac_paths -f ;;
    squid-conf:0) _vac_paths -f ;;
    squid-conf:1) _vac_paths -f ;;
    check-config:*) _vac_paths -f ;;
    help:0) _vac_words commands ;;
    esac
    return 0
}
complete -F _vac vac
