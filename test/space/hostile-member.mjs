// A child that has been taken over and turns against vacd by what it says for the member of the space: what HOSTILE
// names. Arguments as of vacd-guard.js.
import { Socket } from 'node:net';
import { encodeFrame } from '../../dist/guard/frames.js';

const channel = new Socket({ fd: 3, readable: true, writable: true });
channel.on('error', () => process.exit(0));
channel.on('close', () => process.exit(0));
channel.resume();

const say = (type, body) => channel.write(encodeFrame('vacquery', type, body));
const lastEnd = { timeSeconds: 1_700_000_000, message: '300 \u001b[2Jno work\nroot: rm', hostname: 'a.example.com' };
const counts = { runningHs06: 1e6, runningMachines: 1e6, runningProcessors: 1e6, beforeFizzle: 1e6 };
const news = { factory: 'wn0.example.com', machinetype: 'prod', ...counts, lastEnd };
const all = { generation: 1, heard: true, alone: false, news: [news], uses: [], problems: ['\u001b[31mroot!'] };
const attacks = {
  // Until it is of the configuration in force: what vacd says is not read here.
  lies: () => setInterval(() => say('news', { isLast: true, news: all }), 100),
  'a word that there is not': () => say('run', { command: 'id' }),
  'a factory of nowhere': () =>
    say('census-answers', { id: 1, answers: [{ factory: '../../etc/cron.d/x', status: {} }] }),
  'numbers without end': () => {
    for (let times = 0; times < 10; times += 1) say('number-wanted', {});
  },
  'pictures without end': () => {
    for (let times = 0; times < 5_000; times += 1) say('picture-wanted', { machines: true });
  },
  'lines without end': () => {
    for (let times = 0; times < 5_000; times += 1) say('log', { level: 'error', text: `\u001b[2J${times}` });
  },
  'news without end': () => {
    const page = { ...all, news: Array(1_000).fill(news) };
    for (let times = 0; times < 10; times += 1) say('news', { isLast: false, news: page });
  },
};
channel.write(encodeFrame('guard', 'ready'));
attacks[process.env.HOSTILE]();
